package receiver

import (
	"net/http"
	"strconv"
)

const plainText = "text/plain; charset=utf-8"

// An answer is what a simulated receiver says.
type answer struct {
	status int
	kind   string // the content type
	header map[string]string
	body   []byte
}

func text(status int, sentence string) answer {
	return answer{status: status, kind: plainText, body: []byte(sentence)}
}

func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	for name, value := range a.header {
		h.Set(name, value)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		w.WriteHeader(a.status)
		return
	}
	h.Set("Content-Type", a.kind)
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the caller has gone if this fails
}
