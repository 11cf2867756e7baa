package faults

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"portalhooks/test/harness"
)

// However often the server dies without a word, what it has acknowledged is
// stored and arrives: nothing is lost, nothing becomes two deliveries, each
// delivery stays the same thing at every attempt, only what was not settled is
// sent again, and the database is whole.
func TestTortureKilledUnderLoad(t *testing.T) {
	t.Parallel()
	const each = 150
	harness.OnEveryKind(t, func(t *testing.T, r *harness.Rig) {
		rounds := Rounds(2, 100)
		if r.Database != "" {
			rounds = Rounds(2, 40) // taking over takes seconds there
		}
		l := harness.NewLedger()
		r.Watch(t)
		result := Result{Fault: "kill -9 under load", Database: kindOf(r.Database), Rounds: rounds}
		unsettled := 0
		for round := range rounds {
			r.Witness.Refusing.Store(round%10 == 0) // retries take a second
			first := round * each
			r.Interrupted(t, l, first, first+each, first+each/3, func() error { return r.Server.Kill() })
			left := r.Examine(t, l)
			unsettled = max(unsettled, len(left.Unsettled))
			again, lost, took := r.Revive(t, l, left, first, first+each)
			result.Duplicated += again
			result.Lost += lost
			result.Recovery = max(result.Recovery, took)
			if t.Failed() {
				break
			}
		}
		r.Witness.CheckIdentity(t)
		r.Saw(t)
		r.Stop(t)
		result.Note = fmt.Sprintf("up to %d unsettled at a kill; every file whole", unsettled)
		result.Report(t)
	})
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
	rounds := Rounds(1, 30)
	harness.OnEveryKindOfDatabase(t, func(t *testing.T, database string) {
		r := harness.PrepareRig(t, database, t.TempDir())
		r.Open(t)
		for w := range webhooks {
			r.CreateWebhook(t, map[string]any{
				"eventType": "ACTIVE_ALERT", "targetUrl": fmt.Sprintf("%s/%d", r.Witness.URL, w),
				"template": fmt.Sprintf(`{"element": "#alert_element", "to": "%d"}`, w),
				"policy":   map[string]any{"retrySeconds": []int{1, 1, 1}, "ordered": true},
			})
		}
		l := harness.NewLedger()
		result := Result{
			Fault: "kill -9 with ordered webhooks", Database: kindOf(database), Rounds: rounds,
		}
		for round := range rounds {
			r.Witness.Refusing.Store(round%10 == 1) // a refusal holds up the line for a second
			first := round * each
			reached, ended := l.Reaches(first+each/2), make(chan error, 1)
			go func(s *harness.Server) { ended <- loadInOrder(t, s, l, first, first+each) }(r.Server)
			select {
			case <-reached:
			case err := <-ended:
				t.Fatalf("the load ended before it was interrupted: %v%s", err, r.Server.Transcript())
			}
			if err := r.Server.Kill(); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Logf("the load was cut off: %v", err)
			}
			left := r.Examine(t, l)
			began := time.Now()
			r.Start(t)
			result.Lost += r.Lost(t, l)
			result.Recovery = max(result.Recovery, time.Since(began))
			if err := loadInOrder(t, r.Server, l, first, first+each); err != nil {
				t.Fatalf("%v%s", err, r.Server.Transcript())
			}
			result.Lost += r.Lost(t, l)
			r.Settled(t)
			result.Duplicated += r.CheckRepeats(t, left)
			if t.Failed() {
				break
			}
		}
		for w := range webhooks {
			r.Witness.CheckOrder(t, "/"+strconv.Itoa(w), rounds*each)
		}
		r.Stop(t)
		result.Note = "each webhook's calls in order, but for repeats of the one in flight"
		result.Report(t)
	})
}

// loadInOrder reports events one after the other.
func loadInOrder(t *testing.T, s *harness.Server, l *harness.Ledger, first, last int) error {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for n := first; n < last; n++ {
		if err := harness.Report(t.Context(), client, s, l, n, n+1); err != nil {
			return err
		}
	}
	return nil
}
