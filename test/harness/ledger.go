package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"sync"

	"golang.org/x/sync/errgroup"
)

// A Ledger holds what Portal knows to be accepted.
type Ledger struct {
	mu     sync.Mutex
	Acked  map[string]bool
	notify chan struct{} // closed once at has been reached
	at     int
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger { return &Ledger{Acked: map[string]bool{}} }

func (l *Ledger) add(elements []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range elements {
		l.Acked[e] = true
	}
	if l.notify != nil && len(l.Acked) >= l.at {
		close(l.notify)
		l.notify = nil
	}
}

// Copy returns what is acknowledged until now.
func (l *Ledger) Copy() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.Acked)
}

func (l *Ledger) has(element string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Acked[element]
}

// Reaches returns a channel that is closed when n events are acknowledged.
func (l *Ledger) Reaches(n int) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	reached := make(chan struct{})
	if len(l.Acked) >= n {
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

// Load reports the events numbered first to last-1 until all are acknowledged
// or a batch gets no proper answer, and returns what went wrong. It skips what
// is in the ledger already: the rest it sends as Portal would, not knowing what
// became of it.
func Load(ctx context.Context, s *Server, l *Ledger, first, last int) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	var all errgroup.Group
	for sender := range senders {
		all.Go(func() error {
			for n := first + sender*batchSize; n < last; n += senders * batchSize {
				if err := Report(ctx, client, s, l, n, min(n+batchSize, last)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return all.Wait()
}

// Report sends one batch and enters it in the ledger when it is acknowledged.
func Report(ctx context.Context, c *http.Client, s *Server, l *Ledger, first, last int) error {
	var batch []any
	var elements []string
	for n := first; n < last; n++ {
		element := elementOf(n)
		if l.has(element) {
			continue
		}
		elements = append(elements, element)
		batch = append(batch, reportOf(element))
	}
	if len(batch) == 0 {
		return nil
	}
	body, err := json.Marshal(map[string]any{
		"query": IngestMutation, "variables": map[string]any{"input": batch},
	})
	if err != nil {
		return err
	}
	status, answer, err := Post(ctx, c, s.URL, s.Portal, body)
	if err != nil {
		return err
	}
	for i := range elements {
		got, err := TextAt(answer, fmt.Sprintf("data.ingestEvents.results.%d.status", i))
		if err != nil || got == "REJECTED" {
			return fmt.Errorf("answer %d: %s", status, answer)
		}
	}
	l.add(elements)
	return nil
}

// elementOf names the element that the event with a number is about.
func elementOf(number int) string { return fmt.Sprintf("element-%d", number) }

// reportOf is Portal's report of an alert about an element.
func reportOf(element string) map[string]any {
	return map[string]any{
		"organizationId": "load", "sourceEventId": element,
		"event": map[string]any{"activeAlert": map[string]any{"alert": map[string]any{
			"id": "disk", "name": "Low disk", "start": "2026-01-14T09:30:58Z", "element": element,
		}}},
	}
}

// IngestMutation submits reports and asks for everything that becomes of them.
const IngestMutation = `mutation Ingest($input: [PortalEventInput!]!) {
  ingestEvents(input: $input) {
    results { sourceEventId status eventIds deliveries userErrors { code field message } }
    userErrors { code field message }
  }
}`
