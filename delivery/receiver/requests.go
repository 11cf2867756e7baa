package receiver

import (
	"encoding/json"
	"net/http"
	"strconv"
)

const defaultLimit = 100

// A Page is the response to GET /requests.
type Page struct {
	Requests []Entry `json:"requests"`
	Last     int64   `json:"last"` // the "after" of the next page
}

// serveRequests lists or clears the request log.
func (s *Simulator) serveRequests(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		s.page(r).write(w)
	case http.MethodDelete:
		s.requests.clear()
		response{status: http.StatusNoContent}.write(w)
	default:
		reply := text(http.StatusMethodNotAllowed, "Use GET to list the requests and DELETE to clear the list.")
		reply.header = map[string]string{"Allow": "GET, HEAD, DELETE"}
		reply.write(w)
	}
}

func (s *Simulator) page(r *http.Request) response {
	after := int64(0)
	if value := r.URL.Query().Get("after"); value != "" {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return text(http.StatusBadRequest, `"after" must be the number of a request.`)
		}
		after = n
	}
	limit, ok := number(r, "limit", defaultLimit)
	if !ok || limit == 0 || limit > MaxEntries {
		return text(http.StatusBadRequest, `"limit" must be a number from 1 to 1000.`)
	}
	found, last := s.requests.after(after, r.URL.Query().Get("path"), limit)
	body, err := json.Marshal(Page{Requests: found, Last: last})
	if err != nil {
		return text(http.StatusInternalServerError, "The requests could not be encoded.")
	}
	return response{status: http.StatusOK, kind: "application/json", body: body}
}
