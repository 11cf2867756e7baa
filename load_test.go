package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A witness is a receiver that remembers every call. Some deliveries it refuses
// once, so that there are retries.
type witness struct {
	*httptest.Server

	mu    sync.Mutex
	calls map[string][]evidence // by webhook-id
	heard map[string]int        // accepted calls, by the alert that they are about
}

// Evidence is what a witness remembers of a call.
type evidence struct{ attempt, body string }

func newWitness(t *testing.T) *witness {
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
func (w *witness) checkIdentity(t *testing.T) {
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

// A ledger holds what Portal knows to be accepted.
type ledger struct {
	mu     sync.Mutex
	acked  map[string]bool
	notify chan struct{} // closed once at has been reached
	at     int
}

func newLedger() *ledger { return &ledger{acked: map[string]bool{}} }

func (l *ledger) add(elements []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range elements {
		l.acked[e] = true
	}
	if l.notify != nil && len(l.acked) >= l.at {
		close(l.notify)
		l.notify = nil
	}
}

func (l *ledger) has(element string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked[element]
}

// reaches returns a channel that is closed when n events are acknowledged.
func (l *ledger) reaches(n int) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	reached := make(chan struct{})
	if len(l.acked) >= n {
		close(reached)
		return reached
	}
	l.notify, l.at = reached, n
	return reached
}

// The load: senders at once, each sending batches one after the other.
const (
	senders   = 4
	batchSize = 5
)

// load reports the events numbered first to last-1 until all are acknowledged
// or the server does not answer. It skips what is in the ledger already: the
// rest it sends as Portal would, not knowing what became of it.
func load(ctx context.Context, s *server, l *ledger, first, last int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() {
			for n := first + sender*batchSize; n < last; n += senders * batchSize {
				if err := report(ctx, client, s, l, n, min(n+batchSize, last)); err != nil {
					return
				}
			}
		})
	}
	all.Wait()
}

// report sends one batch and enters it in the ledger when it is acknowledged.
func report(ctx context.Context, c *http.Client, s *server, l *ledger, first, last int) error {
	var batch []any
	var elements []string
	for n := first; n < last; n++ {
		element := fmt.Sprintf("element-%d", n)
		if l.has(element) {
			continue
		}
		elements = append(elements, element)
		batch = append(batch, map[string]any{
			"organizationId": "load", "sourceEventId": element,
			"event": map[string]any{"activeAlert": map[string]any{"alert": map[string]any{
				"id": "disk", "name": "Low disk", "start": "2026-01-14T09:30:58Z", "element": element,
			}}},
		})
	}
	if len(batch) == 0 {
		return nil
	}
	body, err := json.Marshal(map[string]any{"query": ingestMutation, "variables": map[string]any{"input": batch}})
	if err != nil {
		return err
	}
	status, answer, err := post(ctx, c, s.url, s.Portal, body)
	if err != nil {
		return err
	}
	for i := range elements {
		got, err := textAt(answer, fmt.Sprintf("data.ingestEvents.results.%d.status", i))
		if err != nil || got == "REJECTED" {
			return fmt.Errorf("answer %d: %s", status, answer)
		}
	}
	l.add(elements)
	return nil
}

// A rig is a real server on an empty database with one webhook that sends to a
// witness.
type rig struct {
	dir     string
	env     []string
	server  *server
	witness *witness
	admin   string
}

// onEveryKind runs test with a rig on every kind of database.
func onEveryKind(t *testing.T, receiver string, test func(t *testing.T, r *rig)) {
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &rig{dir: t.TempDir(), witness: newWitness(t)}
			for _, kept := range []string{"PATH", "HOME", "TMPDIR"} {
				r.env = append(r.env, kept+"="+os.Getenv(kept))
			}
			r.env = append(r.env, "PORTALHOOKS_LISTEN=127.0.0.1:0")
			if url := database(t); url != "" {
				r.env = append(r.env, "PORTALHOOKS_DATABASE="+url)
			}
			t.Cleanup(func() {
				if r.server != nil {
					_ = r.server.kill()
				}
			})
			r.start(t)
			r.admin = r.run(t, "key", "create", "--role", "admin", "--organization", "load")
			r.createWebhook(t, receiver)
			test(t, r)
		})
	}
}

func (r *rig) start(t *testing.T) {
	t.Helper()
	var err error
	if r.server, err = startServer(t.Context(), r.dir, r.env); err != nil {
		t.Fatal(err)
	}
}

// query reads a query of the stories and sends it as the administrator.
func (r *rig) query(t *testing.T, file string, variables map[string]any) []byte {
	t.Helper()
	query, err := os.ReadFile(filepath.Join("testdata", "script", "queries", file))
	if err != nil {
		t.Fatal(err)
	}
	_, answer, err := ask(t.Context(), r.server.url, r.admin, string(query), variables)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
