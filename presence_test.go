package main

import (
	"strconv"
	"testing"
)

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
