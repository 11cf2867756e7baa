package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A witness is a receiver that remembers every call. Some deliveries it refuses
// once, so that there are retries.
type witness struct {
	*httptest.Server

	mu    sync.Mutex
	calls map[string][]evidence // by webhook-id
	heard map[string]int        // accepted calls, by the alert that they are about
}

// slowAnswer is how long the witness takes on /slow.
const slowAnswer = 30 * time.Millisecond

// Evidence is what a witness remembers of a call.
type evidence struct{ attempt, body string }

func newWitness(t testing.TB) *witness {
	w := &witness{calls: map[string][]evidence{}, heard: map[string]int{}}
	w.Server = httptest.NewServer(http.HandlerFunc(w.receive))
	t.Cleanup(w.Close)
	return w
}

func (w *witness) receive(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var message struct{ Element string }
	if err != nil || json.Unmarshal(body, &message) != nil {
		http.Error(rw, "What is this?", http.StatusBadRequest)
		return
	}
	if r.URL.Path == "/slow" { // so that there are always calls in flight
		select {
		case <-time.After(slowAnswer):
		case <-r.Context().Done():
		}
	}
	id := r.Header.Get("Webhook-Id")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[id] = append(w.calls[id], evidence{r.Header.Get("Webhook-Attempt"), string(body)})
	if r.URL.Path == "/flaky" && strings.HasSuffix(message.Element, "7") && len(w.calls[id]) == 1 {
		http.Error(rw, "Not now.", http.StatusServiceUnavailable)
		return
	}
	w.heard[message.Element]++
}

// missing returns one of the elements that the witness has not accepted.
func (w *witness) missing(elements map[string]bool) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for element := range elements {
		if w.heard[element] == 0 {
			return element, true
		}
	}
	return "", false
}

// checkIdentity fails t when a delivery was not the same thing each time it
// was sent, or when an event made two deliveries.
func (w *witness) checkIdentity(t testing.TB) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := map[string]string{} // by body
	for id, calls := range w.calls {
		for _, c := range calls {
			if c.body != calls[0].body {
				t.Errorf("%s carried %s and then %s", id, calls[0].body, c.body)
			}
		}
		if other, ok := ids[calls[0].body]; ok {
			t.Errorf("%s came as %s and as %s", calls[0].body, id, other)
		}
		ids[calls[0].body] = id
	}
}
