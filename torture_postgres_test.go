package main

import (
	"fmt"
	"testing"
	"time"

	"portalhooks/ent/enttest"
	"portalhooks/torture"
)

// PostgreSQL crashes, or is restarted, in the middle of a stream of events: what
// was acknowledged is in it afterwards and arrives, nothing is sent twice, and
// the server goes on by itself.
func TestTorturePostgresRestarted(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]enttest.Mode{
		"stop -m immediate": enttest.Immediate, "stop -m fast": enttest.Fast,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			restartPostgres(t, name, mode, torture.Rounds(1, 8))
		})
	}
}

func restartPostgres(t *testing.T, name string, mode enttest.Mode, rounds int) {
	c := enttest.New(t, enttest.Options{Durable: true})
	r := newRig(t, c.Database(t), "/")
	r.watch(t)
	l, began := newLedger(), time.Now()
	p := stream(t.Context(), r.server, l, 0)
	defer p.end()
	result := torture.Result{
		Fault: "PostgreSQL " + name + " under load", Database: "postgres", Rounds: rounds,
	}
	for range rounds {
		r.acknowledges(t, l, 300)
		if err := c.Stop(mode); err != nil {
			t.Fatal(err)
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.examine(t, l)
		result.Recovery = max(result.Recovery, r.acknowledges(t, l, 1))
	}
	r.acknowledges(t, l, 300)
	rate := float64(len(l.copy())) / time.Since(began).Seconds()
	result.Lost = r.finish(t, l, 0, p.end())
	r.saw(t)
	r.witness.checkIdentity(t)
	if result.Duplicated = r.witness.repeated(); result.Duplicated > 0 {
		t.Errorf("%d calls were repeated although the server lived", result.Duplicated)
	}
	r.stop(t)
	result.Note = fmt.Sprintf("%.0f events/s, outages included", rate)
	result.Report(t)
}
