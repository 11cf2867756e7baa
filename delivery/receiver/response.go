package receiver

import (
	"net/http"
	"strconv"
)

const plainText = "text/plain; charset=utf-8"

// A response is the HTTP response of a simulated receiver.
type response struct {
	status int
	kind   string // the content type
	header map[string]string
	body   []byte
}

func text(status int, sentence string) response {
	return response{status: status, kind: plainText, body: []byte(sentence)}
}

func (r response) write(w http.ResponseWriter) {
	h := w.Header()
	for name, value := range r.header {
		h.Set(name, value)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if r.status == http.StatusNoContent || r.status == http.StatusNotModified {
		w.WriteHeader(r.status)
		return
	}
	h.Set("Content-Type", r.kind)
	h.Set("Content-Length", strconv.Itoa(len(r.body)))
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body) // fails only if the client has disconnected
}
