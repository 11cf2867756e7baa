package faults

import (
	"fmt"
	"testing"
	"time"

	"portalhooks/ent/enttest"
	"portalhooks/test/harness"
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
			restartPostgres(t, name, mode, Rounds(1, 8))
		})
	}
}

func restartPostgres(t *testing.T, name string, mode enttest.Mode, rounds int) {
	c := enttest.New(t, enttest.Options{Durable: true})
	r := harness.NewRig(t, c.Database(t), "/")
	r.Watch(t)
	l, began := harness.NewLedger(), time.Now()
	p := harness.Stream(t.Context(), r.Server, l, 0)
	defer p.End()
	result := Result{
		Fault: "PostgreSQL " + name + " under load", Database: "postgres", Rounds: rounds,
	}
	for range rounds {
		r.Acknowledges(t, l, 300)
		if err := c.Stop(mode); err != nil {
			t.Fatal(err)
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Examine(t, l)
		result.Recovery = max(result.Recovery, r.Acknowledges(t, l, 1))
	}
	r.Acknowledges(t, l, 300)
	rate := float64(len(l.Copy())) / time.Since(began).Seconds()
	result.Lost = r.Finish(t, l, 0, p.End())
	r.Saw(t)
	r.Witness.CheckIdentity(t)
	if result.Duplicated = r.Witness.Repeated(); result.Duplicated > 0 {
		t.Errorf("%d calls were repeated although the server lived", result.Duplicated)
	}
	r.Stop(t)
	result.Note = fmt.Sprintf("%.0f events/s, outages included", rate)
	result.Report(t)
}
