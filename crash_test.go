package main

import (
	"strconv"
	"testing"
)

// interrupted loads events from first on and calls interrupt in the middle:
// when as many as enough are acknowledged in all and many more are on their way.
func (r *rig) interrupted(t *testing.T, l *ledger, first, last, enough int, interrupt func() error) {
	t.Helper()
	reached, ended := l.reaches(enough), make(chan error, 1)
	go func() { ended <- load(t.Context(), r.server, l, first, last) }()
	select {
	case <-reached:
	case err := <-ended:
		if err != nil {
			t.Fatalf("the load ended before it was interrupted: %v%s", err, r.server.transcript())
		}
		ended <- nil // it was quick
	}
	if err := interrupt(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Logf("the load was cut off: %v", err)
	}
}

// finish sends what is not acknowledged yet, as Portal does that has got no
// answer, and waits until everything is delivered.
func (r *rig) finish(t *testing.T, l *ledger, first, last int) {
	t.Helper()
	if err := load(t.Context(), r.server, l, first, last); err != nil {
		t.Fatalf("%v%s", err, r.server.transcript())
	}
	r.arrived(t, l)
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
			r.arrived(t, l)
		}
		r.finish(t, l, 0, rounds*each)
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
		r.arrived(t, l)
		r.finish(t, l, 0, all)
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

// A server that starts on the file of a killed one need not wait for its lease
// to end: it is the only server, in the same slot. While a server lives, another
// one is let in beside it and takes nothing away.
func TestAServerTakesThePlaceOfAKilledOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", "/")
	operator := r.run(t, "key", "create", "--role", "operator")
	replicas := func(s *server, want ...int) {
		t.Helper()
		_, answer, err := ask(t.Context(), s.url, operator, "{ systemStatus { replicas { slot } } }", nil)
		if err != nil {
			t.Fatal(err)
		}
		const path = "data.systemStatus.replicas."
		if n, err := textAt(answer, path+"len"); err != nil || n != strconv.Itoa(len(want)) {
			t.Fatalf("the servers are %s, %v, want slots %v", answer, err, want)
		}
		for i, slot := range want {
			got, err := textAt(answer, path+strconv.Itoa(i)+".slot")
			if err != nil || got != strconv.Itoa(slot) {
				t.Errorf("the servers are %s, %v, want slots %v", answer, err, want)
			}
		}
	}
	for range 3 {
		replicas(r.server, 0)
		if err := r.server.kill(); err != nil {
			t.Fatal(err)
		}
		r.start(t)
	}
	first := r.server
	r.start(t)
	replicas(r.server, 0, 1)
	if err := first.kill(); err != nil {
		t.Error(err)
	}
}
