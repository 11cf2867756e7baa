package main

import (
	"sync"
	"testing"
)

// interrupted loads events from first on and calls interrupt in the middle:
// when as many as enough are acknowledged in all and many more are on their way.
func (r *rig) interrupted(t *testing.T, l *ledger, first, last, enough int, interrupt func() error) {
	t.Helper()
	var loading sync.WaitGroup
	defer loading.Wait()
	reached := l.reaches(enough)
	loading.Go(func() { load(t.Context(), r.server, l, first, last) })
	select {
	case <-reached:
	case <-r.server.ended:
		t.Fatalf("the server ended by itself: %v%s", r.server.state, r.server.transcript())
	case <-t.Context().Done():
		t.Fatal("the load never got that far")
	}
	if err := interrupt(); err != nil {
		t.Error(err)
	}
}

// However often the server dies without a word, what it has acknowledged
// arrives: nothing is lost, nothing becomes two deliveries, and each delivery
// stays the same thing at every attempt.
func TestACrashLosesNothing(t *testing.T) {
	t.Parallel()
	const rounds, each = 3, 150
	onEveryKind(t, "/flaky", func(t *testing.T, r *rig) {
		l := newLedger()
		for round := range rounds {
			first := round * each
			r.interrupted(t, l, first, first+each, first+each/3, func() error { return r.server.kill() })
			r.start(t)
			// Portal sends again what it has no answer for.
			load(t.Context(), r.server, l, first, first+each)
		}
		if len(l.acked) != rounds*each {
			t.Fatalf("%d events are acknowledged, want %d%s", len(l.acked), rounds*each, r.server.transcript())
		}
		r.arrived(t, l)
		r.settled(t)
		r.witness.checkIdentity(t)
		if err := r.server.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A server that is asked to stop under load ends in good order, and its
// successor delivers what was left, once.
func TestStoppingUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	const all = 300
	onEveryKind(t, "/", func(t *testing.T, r *rig) {
		l := newLedger()
		r.interrupted(t, l, 0, all, all/3, func() error { return r.server.stop() })
		r.start(t)
		load(t.Context(), r.server, l, 0, all)
		if len(l.acked) != all {
			t.Fatalf("%d events are acknowledged, want %d%s", len(l.acked), all, r.server.transcript())
		}
		r.arrived(t, l)
		r.settled(t)
		r.witness.checkIdentity(t)
		for element, times := range r.witness.heard {
			if times != 1 {
				t.Errorf("%s came %d times although nothing failed", element, times)
			}
		}
		if err := r.server.stop(); err != nil {
			t.Error(err)
		}
	})
}
