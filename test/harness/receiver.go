package harness

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A witness is a receiver that remembers every call. It outlives the servers
// that it is called by.
type witness struct {
	*httptest.Server

	Refusing atomic.Bool // whether every delivery about an alert that ends in 7 is refused once

	mu    sync.Mutex
	calls map[string][]evidence // by webhook-id
	order map[string][]string   // alerts of the calls in their order, by the path
	heard map[string]int        // accepted calls, by the alert that they are about
	at    map[string]time.Time  // when the first of them came, by the alert
	first time.Time             // of the first call after the last expect
}

// slowAnswer is how long the witness takes on /slow.
const slowAnswer = 30 * time.Millisecond

// Evidence is what a witness remembers of a call.
type evidence struct{ attempt, body string }

func newWitness(t testing.TB) *witness {
	w := &witness{
		calls: map[string][]evidence{}, order: map[string][]string{}, heard: map[string]int{},
		at: map[string]time.Time{},
	}
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
	if w.first.IsZero() {
		w.first = time.Now()
	}
	w.calls[id] = append(w.calls[id], evidence{r.Header.Get("Webhook-Attempt"), string(body)})
	w.order[r.URL.Path] = append(w.order[r.URL.Path], message.Element)
	if w.Refusing.Load() && strings.HasSuffix(message.Element, "7") && len(w.calls[id]) == 1 {
		http.Error(rw, "Not now.", http.StatusServiceUnavailable)
		return
	}
	if w.heard[message.Element]++; w.heard[message.Element] == 1 {
		w.at[message.Element] = time.Now()
	}
}

// Heard returns when the event with a number came; the zero time if it did not.
func (w *witness) Heard(number int) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at[elementOf(number)]
}

// Expect makes the witness note when the next call comes.
func (w *witness) Expect() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.first = time.Time{}
}

// FirstSince returns how long after start the first call came that was
// expected; 0 when there was none.
func (w *witness) FirstSince(start time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(0, w.first.Sub(start))
}

// repeats returns how many calls were made again, although no answer asked for
// that, by delivery.
func (w *witness) repeats() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	again := map[string]int{}
	for id, calls := range w.calls {
		attempts := map[string]bool{}
		for _, c := range calls {
			attempts[c.attempt] = true
		}
		if n := len(calls) - len(attempts); n > 0 {
			again[id] = n
		}
	}
	return again
}

// Repeated returns how many calls were repeated in all.
func (w *witness) Repeated() (n int) {
	for _, times := range w.repeats() {
		n += times
	}
	return n
}

// missing returns how many of the elements the witness has not accepted.
func (w *witness) missing(elements map[string]bool) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for element := range elements {
		if w.heard[element] == 0 {
			n++
		}
	}
	return n
}

// CheckIdentity fails t when a delivery was not the same thing each time it
// was sent, or when an event made two deliveries.
func (w *witness) CheckIdentity(t testing.TB) {
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
