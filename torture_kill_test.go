package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"portalhooks/torture"
)

// However often the server dies without a word, what it has acknowledged is
// stored and arrives: nothing is lost, nothing becomes two deliveries, each
// delivery stays the same thing at every attempt, only what was not settled is
// sent again, and the database is whole.
func TestTortureKilledUnderLoad(t *testing.T) {
	t.Parallel()
	const each = 150
	onEveryKind(t, func(t *testing.T, r *rig) {
		rounds := torture.Rounds(2, 100)
		if r.database != "" {
			rounds = torture.Rounds(2, 40) // taking over takes seconds there
		}
		l := newLedger()
		r.watch(t)
		result := torture.Result{Fault: "kill -9 under load", Database: kindOf(r.database), Rounds: rounds}
		unsettled := 0
		for round := range rounds {
			r.witness.refusing.Store(round%10 == 0) // retries take a second
			first := round * each
			r.interrupted(t, l, first, first+each, first+each/3, func() error { return r.server.kill() })
			left := r.examine(t, l)
			unsettled = max(unsettled, len(left.unsettled))
			again, lost, took := r.revive(t, l, left, first, first+each)
			result.Duplicated += again
			result.Lost += lost
			result.Recovery = max(result.Recovery, took)
			if t.Failed() {
				break
			}
		}
		r.witness.checkIdentity(t)
		r.saw(t)
		r.stop(t)
		result.Note = fmt.Sprintf("up to %d unsettled at a kill; every file whole", unsettled)
		result.Report(t)
	})
}

// revive starts the server after a crash and lets it finish the events first to
// last-1. It returns how many calls were repeated, how many events were lost,
// and how long the new server took from its start to have delivered all that the
// dead one owed.
func (r *rig) revive(
	t *testing.T, l *ledger, left remains, first, last int,
) (again, lost int, took time.Duration) {
	t.Helper()
	began := time.Now()
	r.start(t)
	lost = r.lost(t, l)
	took = time.Since(began)
	lost += r.finish(t, l, first, last)
	return r.checkRepeats(t, left), lost, took
}

// kindOf names the kind of a rig's database.
func kindOf(database string) string {
	if database == "" {
		return "sqlite"
	}
	return "postgres"
}

// A receiver that asked for order gets it although the server dies again and
// again: of each webhook only the call in flight is repeated, and no call
// overtakes another.
func TestTortureKilledInOrder(t *testing.T) {
	t.Parallel()
	const each, webhooks = 30, 3
	rounds := torture.Rounds(1, 30)
	onEveryKindOfDatabase(t, func(t *testing.T, database string) {
		r := prepareRig(t, database, t.TempDir())
		r.open(t)
		for w := range webhooks {
			r.createWebhook(t, map[string]any{
				"eventType": "ACTIVE_ALERT", "targetUrl": fmt.Sprintf("%s/%d", r.witness.URL, w),
				"template": fmt.Sprintf(`{"element": "#alert_element", "to": "%d"}`, w),
				"policy":   map[string]any{"retrySeconds": []int{1, 1, 1}, "ordered": true},
			})
		}
		l := newLedger()
		result := torture.Result{
			Fault: "kill -9 with ordered webhooks", Database: kindOf(database), Rounds: rounds,
		}
		for round := range rounds {
			r.witness.refusing.Store(round%10 == 1) // a refusal holds up the line for a second
			first := round * each
			reached, ended := l.reaches(first+each/2), make(chan error, 1)
			go func(s *server) { ended <- loadInOrder(t, s, l, first, first+each) }(r.server)
			select {
			case <-reached:
			case err := <-ended:
				t.Fatalf("the load ended before it was interrupted: %v%s", err, r.server.transcript())
			}
			if err := r.server.kill(); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Logf("the load was cut off: %v", err)
			}
			left := r.examine(t, l)
			began := time.Now()
			r.start(t)
			result.Lost += r.lost(t, l)
			result.Recovery = max(result.Recovery, time.Since(began))
			if err := loadInOrder(t, r.server, l, first, first+each); err != nil {
				t.Fatalf("%v%s", err, r.server.transcript())
			}
			result.Lost += r.lost(t, l)
			r.settled(t)
			result.Duplicated += r.checkRepeats(t, left)
			if t.Failed() {
				break
			}
		}
		for w := range webhooks {
			r.witness.checkOrder(t, "/"+strconv.Itoa(w), rounds*each)
		}
		r.stop(t)
		result.Note = "each webhook's calls in order, but for repeats of the one in flight"
		result.Report(t)
	})
}

// loadInOrder reports events one after the other.
func loadInOrder(t *testing.T, s *server, l *ledger, first, last int) error {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for n := first; n < last; n++ {
		if err := report(t.Context(), client, s, l, n, n+1); err != nil {
			return err
		}
	}
	return nil
}

// checkOrder fails t unless the alerts of a path came in the order of their
// numbers, each from 0 on to count-1 and repeats right after the first.
func (w *witness) checkOrder(t *testing.T, path string, count int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	numbers := make([]int, len(w.order[path]))
	for i, element := range w.order[path] {
		n, err := strconv.Atoi(strings.TrimPrefix(element, "element-"))
		if err != nil {
			t.Fatal(err)
		}
		numbers[i] = n
	}
	if !slices.IsSorted(numbers) {
		t.Errorf("%s: out of order: %v", path, numbers)
	}
	if distinct := slices.Compact(slices.Clone(numbers)); len(distinct) != count {
		t.Errorf("%s: %d alerts came, want %d", path, len(distinct), count)
	}
}
