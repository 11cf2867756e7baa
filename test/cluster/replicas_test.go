package cluster

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"portalhooks/ent/enttest"
	"portalhooks/test/faults"
	"portalhooks/test/harness"
)

// A fleet is several real servers that share a PostgreSQL and one folder.
type fleet struct {
	*harness.Rig
	db      *sql.DB
	members []*harness.Server // by slot
}

func newFleet(t *testing.T, size int, receiver string) *fleet {
	t.Helper()
	return fleetOn(t, enttest.Postgres(t), size, receiver)
}

// fleetOn starts the servers on an empty database.
func fleetOn(t *testing.T, url string, size int, receiver string) *fleet {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	f := &fleet{Rig: harness.NewRig(t, url, receiver), db: db}
	f.members = append(f.members, f.Server)
	for len(f.members) < size {
		f.members = append(f.members, f.add(t))
	}
	return f
}

// add starts one more server.
func (f *fleet) add(t *testing.T) *harness.Server {
	t.Helper()
	s, err := harness.StartServer(t.Context(), f.Dir, f.Env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Kill() })
	return s
}

func (f *fleet) count(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	if err := f.db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// holds waits until the server in a slot holds so many deliveries: more than a
// few, or none.
func (f *fleet) holds(t *testing.T, slot int, many bool) {
	t.Helper()
	what := fmt.Sprintf("slot %d holds many deliveries: %t", slot, many)
	err := harness.Eventually(t.Context(), what, func(context.Context) (bool, error) {
		n := f.count(t, "SELECT count(*) FROM queue WHERE owner_slot = $1", slot)
		return many && n >= 10 || !many && n == 0, nil
	})
	if err != nil {
		t.Fatalf("%v%s", err, f.members[slot].Transcript())
	}
}

// steady waits until each server has had its own connection for so long that
// it judges whether the others live.
func (f *fleet) steady(t *testing.T) {
	t.Helper()
	err := harness.Eventually(
		t.Context(),
		"every server may judge the others",
		func(context.Context) (bool, error) {
			return f.count(t, `SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
			WHERE l.locktype = 'advisory' AND a.datname = current_database()
				AND a.backend_start < pg_catalog.now() - interval '2.1 s'`) == len(f.members), nil
		},
	)
	if err != nil {
		t.Fatal(err)
	}
}

// load reports events to all servers at once, and calls strike when the one in
// the slot has its hands full. It returns what waits for the senders.
func (f *fleet) load(
	t *testing.T, l *harness.Ledger, from, each, slot int, strike func(*harness.Server),
) (wait func()) {
	t.Helper()
	var loading sync.WaitGroup
	for i, s := range f.members {
		loading.Go(func() {
			err := harness.Load(t.Context(), s, l, from+i*each, from+(i+1)*each)
			if err != nil && i != slot {
				t.Errorf("slot %d refused events although nothing happened to it: %v", i, err)
			}
		})
	}
	f.holds(t, slot, true)
	strike(f.members[slot])
	return loading.Wait
}

// A strike is what happens to one of three servers. It lasts until that server
// is gone and the others hold what it held.
type strike struct {
	fault string
	slot  int
	hit   func(t *testing.T, f *fleet, s *harness.Server)
}

// Strikes, each on a server of its own.
var strikes = []strike{
	{fault: "kill -9 of one of three servers", slot: 0, hit: func(t *testing.T, f *fleet, s *harness.Server) {
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		f.holds(t, 0, false)
	}},
	{fault: "SIGSTOP of one of three servers", slot: 1, hit: func(t *testing.T, f *fleet, s *harness.Server) {
		if err := s.Cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		f.holds(t, 1, false)
		if err := s.Cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(); err == nil {
			t.Error("the server that was frozen ended in good order, want it to say that it has lost its place")
		}
	}},
	{fault: "SIGTERM of one of three servers", slot: 2, hit: func(t *testing.T, f *fleet, s *harness.Server) {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		f.holds(t, 2, false)
	}},
}

// Of three servers under load one dies, one is frozen for longer than its
// lease, and one is stopped. What they have acknowledged arrives, every
// delivery ends once, what a frozen one says late does not count, and little is
// sent twice.
func TestTortureServersComeAndGo(t *testing.T) {
	t.Parallel()
	const each = 150
	f := newFleet(t, 3, "/slow")
	l, next, rounds := harness.NewLedger(), 0, faults.Rounds(1, 5)
	for _, s := range strikes {
		result := faults.Result{Fault: s.fault, Database: "postgres", Rounds: rounds}
		before := f.Witness.Repeated()
		for range rounds {
			f.steady(t)
			senders := f.load(t, l, next, each, s.slot, func(hit *harness.Server) {
				began := time.Now()
				s.hit(t, f, hit)
				result.Recovery = max(result.Recovery, time.Since(began))
			})
			senders()
			f.members[s.slot] = f.add(t) // its slot is free again
			f.Server = f.members[s.slot]
			result.Lost += f.Finish(t, l, next, next+3*each)
			next += 3 * each
		}
		result.Duplicated = f.Witness.Repeated() - before
		if limit := rounds * 64; result.Duplicated > limit { // 64 is the default of --workers
			t.Errorf("%s: %d calls were repeated, want at most %d", s.fault, result.Duplicated, limit)
		}
		result.Note = "recovery: until others hold what it held"
		result.Report(t)
	}
	f.Witness.CheckIdentity(t)
	f.checkLog(t, next)
	for _, s := range f.members {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// checkLog fails t unless each of so many deliveries ended once.
func (f *fleet) checkLog(t *testing.T, deliveries int) {
	t.Helper()
	const final = "FROM log WHERE state >= 5"
	if rows := f.count(t, "SELECT count(*) "+final); rows != deliveries {
		t.Errorf("the log has %d ends of deliveries, want %d", rows, deliveries)
	}
	if ids := f.count(t, "SELECT count(DISTINCT delivery) "+final); ids != deliveries {
		t.Errorf("%d deliveries have ended, want %d", ids, deliveries)
	}
}

// The same report, sent by many at once to two servers, is one event, and all
// are told the same.
func TestTortureOneEventManyTimes(t *testing.T) {
	t.Parallel()
	const times = 100
	f := newFleet(t, 2, "/")
	input := map[string]any{"input": []any{map[string]any{
		"organizationId": "load", "sourceEventId": "once",
		"event": map[string]any{"activeAlert": map[string]any{"alert": map[string]any{
			"id": "disk", "name": "Low disk", "start": "2026-01-14T09:30:58Z", "element": "element-1",
		}}},
	}}}
	var mu sync.Mutex
	statuses, events := map[string]int{}, map[string]int{}
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range times {
		all.Go(func() {
			s := f.members[i%2]
			<-start
			status, answer, err := harness.Ask(t.Context(), s.URL, s.Portal, harness.IngestMutation, input)
			if err != nil || status != http.StatusOK {
				t.Errorf("answer %d, %v", status, err)
				return
			}
			said, err := harness.TextAt(answer, "data.ingestEvents.results.0.status")
			if err != nil {
				t.Error(err)
			}
			ids, err := harness.TextAt(answer, "data.ingestEvents.results.0.eventIds")
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[said]++
			events[ids]++
		})
	}
	close(start)
	all.Wait()
	if statuses["ACCEPTED"] != 1 || statuses["DUPLICATE"] != times-1 || len(events) != 1 {
		t.Errorf("the answers are %v about the events %v, want one accepted and %d duplicates of it",
			statuses, events, times-1)
	}
	lost := f.Lost(t, &harness.Ledger{Acked: map[string]bool{"element-1": true}})
	f.Settled(t)
	f.checkLog(t, 1)
	if n := f.count(t, "SELECT count(*) FROM event WHERE source_id = 'once'"); n != 1 {
		t.Errorf("%d events are stored, want one", n)
	}
	faults.Result{
		Fault: "one event reported by many at once to two servers", Database: "postgres", Rounds: times, Lost: lost,
		Duplicated: f.Witness.Repeated(), Note: "one event, one answer for all",
	}.Report(t)
	for _, s := range f.members {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}
