package faults

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"portalhooks/delivery/loop"
	"portalhooks/test/harness"
)

// One organization reports an operation on many devices, for many webhooks whose
// receivers never answer, again and again and from four callers at once. Nothing of
// the other organization is lost or sent twice; what it notices is measured.
func TestTortureBesideAGreedyOrganization(t *testing.T) {
	t.Parallel()
	webhooks, devices, events := Rounds(5, 300), Rounds(20, 1000), Rounds(50, 2000)
	harness.OnEveryKind(t, func(t *testing.T, r *harness.Rig) {
		greedy := newGreedy(t, r, webhooks)
		l := harness.NewLedger()
		steadily(t, r, l, 0, events) // it opens connections and fills caches
		alone := steadily(t, r, l, events, 2*events)
		stop := greedy.begin(t, devices)
		beside := steadily(t, r, l, 2*events, 3*events)
		reports := stop()
		result := Result{
			Fault:    "beside an organization that reports all it can for receivers that hang",
			Database: kindOf(r.Database), Rounds: events, Lost: r.Finish(t, l, 0, 3*events),
			Note: fmt.Sprintf("p99 until delivered %d ms, %d ms alone, at %d events/s; the other made %d reports of "+
				"%d devices for %d webhooks", beside.Milliseconds(), alone.Milliseconds(), steadyRate, reports, devices,
				webhooks),
		}
		r.Witness.CheckIdentity(t)
		if result.Duplicated = r.Witness.Repeated(); result.Duplicated > 0 {
			t.Errorf("%d calls were repeated although the server lived", result.Duplicated)
		}
		result.Report(t)
	})
}

// A greedy is an organization whose receivers never answer.
type greedy struct{ rig *harness.Rig }

func newGreedy(t *testing.T, r *harness.Rig, webhooks int) *greedy {
	t.Helper()
	ended := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		select {
		case <-q.Context().Done():
		case <-ended:
		}
	}))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(ended) })
	g := &greedy{r}
	if status, answer := g.report(t.Context(), 1, "first"); status != http.StatusOK {
		t.Fatalf("the greedy organization is not known: %s", answer)
	}
	admin := r.Run(t, "key", "create", "--role", "admin", "--organization", "greedy")
	const create = `mutation($input: CreateWebhookInput!) {
		createWebhook(input: $input) { userErrors { message } } }`
	for n := range webhooks {
		input := map[string]any{
			"organizationId": "greedy", "name": fmt.Sprintf("Greedy %d", n), "eventType": "OPERATION_EXECUTED_IN_WORKSPACE",
			"targetUrl": fmt.Sprintf("%s/%d", hanging.URL, n), "selection": map[string]any{"all": true},
		}
		_, answer, err := harness.Ask(t.Context(), r.Server.URL, admin, create, map[string]any{"input": input})
		if err != nil {
			t.Fatal(err)
		}
		problems, err := harness.TextAt(answer, "data.createWebhook.userErrors")
		if err != nil || problems != "[]" {
			t.Fatalf("create a webhook: %s", answer)
		}
	}
	return g
}

// report reports an operation on so many devices.
func (g *greedy) report(ctx context.Context, devices int, id string) (status int, answer []byte) {
	workspaces := make([]any, devices)
	for i := range workspaces {
		workspaces[i] = map[string]any{
			"workspace": map[string]any{"id": fmt.Sprint("device-", i), "name": fmt.Sprint("WS-", i)},
			"startDate": "2026-01-14T10:00:03Z", "endDate": "2026-01-14T10:02:41Z", "result": "COMPLETED",
		}
	}
	s := g.rig.Server
	status, answer, _ = harness.Ask(ctx, s.URL, s.Portal, harness.IngestMutation, map[string]any{
		"input": []any{map[string]any{
			"organizationId": "greedy", "sourceEventId": id,
			"event": map[string]any{"operation": map[string]any{
				"operationId": id, "typeId": "restart", "typeName": "Restart", "complete": false,
				"startDate": "2026-01-14T10:00:02Z", "workspaces": workspaces,
			}},
		}},
	})
	return status, answer
}

// begin begins to report, and returns what ends it and says how often it did.
func (g *greedy) begin(t *testing.T, devices int) (stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	var mu sync.Mutex
	reports := 0
	for caller := range 4 {
		callers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				g.report(ctx, devices, fmt.Sprintf("restart-%d-%d", caller, n)) // it may be refused
				mu.Lock()
				reports++
				mu.Unlock()
			}
		})
	}
	return func() int {
		cancel()
		callers.Wait()
		return reports
	}
}

// steadyRate is how many events a second an organization has that is measured.
const steadyRate = 100

// steadily reports the events first to last-1 at a steady rate, and returns the 99th
// percentile of the time until the receiver has them.
func steadily(t *testing.T, r *harness.Rig, l *harness.Ledger, first, last int) time.Duration {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: steadyRate}}
	defer client.CloseIdleConnections()
	sent := make([]time.Time, last-first)
	var all sync.WaitGroup
	tick := time.NewTicker(time.Second / steadyRate)
	defer tick.Stop()
	for i := range sent {
		<-tick.C
		sent[i] = time.Now()
		all.Go(func() {
			pause := loop.Backoff{Min: 10 * time.Millisecond, Max: time.Second}
			for harness.Report(t.Context(), client, r.Server, l, first+i, first+i+1) != nil {
				if !pause.Sleep(t.Context()) {
					return
				}
			}
		})
	}
	all.Wait()
	if lost := r.Lost(t, l); lost > 0 {
		t.Fatalf("%d events did not arrive", lost)
	}
	took := make([]time.Duration, len(sent))
	for i := range sent {
		took[i] = r.Witness.Heard(first + i).Sub(sent[i])
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}
