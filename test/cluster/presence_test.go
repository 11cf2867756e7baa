package cluster

import (
	"strconv"
	"testing"

	"portalhooks/test/harness"
)

// A server that starts on the file of a killed one need not wait for its lease
// to end: it is the only server, in the same slot. While a server lives, another
// one is let in beside it and takes nothing away.
func TestAServerTakesThePlaceOfAKilledOne(t *testing.T) {
	t.Parallel()
	r := harness.NewRig(t, "", "/")
	operator := r.Run(t, "key", "create", "--role", "operator")
	replicas := func(s *harness.Server, want ...int) {
		t.Helper()
		_, answer, err := harness.Ask(t.Context(), s.URL, operator, "{ systemStatus { replicas { slot } } }", nil)
		if err != nil {
			t.Fatal(err)
		}
		const path = "data.systemStatus.replicas."
		if n, err := harness.TextAt(answer, path+"len"); err != nil || n != strconv.Itoa(len(want)) {
			t.Fatalf("the servers are %s, %v, want slots %v", answer, err, want)
		}
		for i, slot := range want {
			got, err := harness.TextAt(answer, path+strconv.Itoa(i)+".slot")
			if err != nil || got != strconv.Itoa(slot) {
				t.Errorf("the servers are %s, %v, want slots %v", answer, err, want)
			}
		}
	}
	for range 3 {
		replicas(r.Server, 0)
		if err := r.Server.Kill(); err != nil {
			t.Fatal(err)
		}
		r.Start(t)
	}
	first := r.Server
	r.Start(t)
	replicas(r.Server, 0, 1)
	if err := first.Kill(); err != nil {
		t.Error(err)
	}
}
