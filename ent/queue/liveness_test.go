package queue

import (
	"slices"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/enttest"
	"portalhooks/ent/sqldb"
)

// observer reaps, and stores events, without being one of the servers.
var observer = delivery.Owner{Slot: delivery.MaxSlot}

// A lock must be free for a while, without a break, before its server is taken
// for dead.
func TestALockMeansDeathOnlyAfterAWhile(t *testing.T) {
	t.Parallel()
	a, b := [2]int64{1, 1}, [2]int64{2, 7}
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, looks := range map[string][]struct {
		after time.Duration
		free  [][2]int64
		want  [][2]int64
	}{
		"at once":         {{0, [][2]int64{a}, nil}},
		"soon":            {{0, [][2]int64{a}, nil}, {deadAfter - 1, [][2]int64{a}, nil}},
		"after the grace": {{0, [][2]int64{a}, nil}, {deadAfter, [][2]int64{a, b}, [][2]int64{a}}},
		"held in between": {{0, [][2]int64{a}, nil}, {deadAfter / 2, nil, nil}, {deadAfter, [][2]int64{a}, nil}},
		"another epoch":   {{0, [][2]int64{a}, nil}, {deadAfter, [][2]int64{{1, 2}}, nil}},
	} {
		var m freeLocks
		for _, look := range looks {
			if got := m.note(look.free, start.Add(look.after)); !slices.Equal(got, look.want) {
				t.Errorf("%s: after %s the dead are %v, want %v", name, look.after, got, look.want)
			}
		}
	}
}

// A server that has just lost its own connection reaps none: the others may have
// lost theirs at the same moment.
func TestAServerThatReconnectsReapsNoneForAWhile(t *testing.T) {
	t.Parallel()
	url := enttest.Postgres(t)
	s, mine := joined(t, sqldb.Options{URL: url})
	dead, owner := joined(t, sqldb.Options{URL: url})
	lease(t, s, owner, 1)
	until(t, "the first may reap", postgres(s).listener.Steady)
	_, err := s.db.Writer().ExecContext(t.Context(), "SELECT pg_terminate_backend($1)", holders(t, s, mine)[0])
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the loss is noticed", func() bool { return !postgres(s).listener.Steady() })
	postgres(dead).listener.Close()
	until(t, "the dead server's deliveries are released", func() bool {
		n, err := s.Reap(t.Context(), observer, true)
		if err != nil {
			t.Fatal(err)
		}
		return n == 1
	})
	// The others are back within the longest pause between two tries and a grace.
	const least = sqldb.ReconnectMax + deadAfter
	if lasted := postgres(s).listener.Lasted(); lasted <= least {
		t.Errorf("it reaped when its connection had lasted for %s, want more than %s", lasted, least)
	}
}
