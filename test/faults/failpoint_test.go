package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"portalhooks/delivery/failpoint"
	"portalhooks/test/harness"
)

// failpointSetting is where a program with failpoints looks for its end.
const failpointSetting = "PORTALHOOKS_FAILPOINT"

// buildRelease builds the program as it is released, but for tags, and returns
// where it is.
func buildRelease(t *testing.T, tags string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "portalhooks")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w -buildid=",
		"-tags", tags, "-o", path, harness.Root)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return path
}

// A killPoint is where the program is killed: in one of the first passes, chosen
// by chance, on the kinds of databases that it matters for.
type killPoint struct {
	point    failpoint.Point
	passes   int
	postgres when
}

// When a point is tried on PostgreSQL. On SQLite all are, always.
type when int

const (
	always when = iota
	inLong      // the code is the same on both, and taking over takes seconds
	never       // there is no such point
)

var killPoints = []killPoint{
	{failpoint.IngestBeforeInsert, 6, inLong},
	{failpoint.IngestBeforeCommit, 6, never},
	{failpoint.IngestAfterCommit, 6, always},
	{failpoint.ClaimAfterCommit, 1, inLong},
	{failpoint.CallBeforeDial, 4, inLong},
	{failpoint.CallSent, 40, inLong},
	{failpoint.CallAnswered, 40, inLong},
	{failpoint.SettleBeforeCommit, 4, always},
	{failpoint.RetryBeforeCommit, 1, always},
	{failpoint.SettleAfterCommit, 4, always},
	{failpoint.FeedBeforePublish, 2, inLong},
}

// on reports whether the point is tried on a kind of database.
func (k killPoint) on(kind string) bool {
	return kind == "sqlite" || k.postgres == always || k.postgres == inLong && Long()
}

// Wherever in its work the program is killed, nothing that it has acknowledged
// is lost, only what was not settled is sent again, and a subscriber misses
// nothing. The program that is released has no such points.
func TestTortureKilledAtEachStep(t *testing.T) {
	t.Parallel()
	program := buildRelease(t, "failpoints")
	for path, want := range map[string]bool{program: true, buildRelease(t, ""): false} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, trace := range []string{failpointSetting, string(failpoint.SettleBeforeCommit)} {
			if got := bytes.Contains(text, []byte(trace)); got != want {
				t.Fatalf("the program holds %q: %t, want %t", trace, got, want)
			}
		}
	}
	harness.OnEveryKindOfDatabase(t, func(t *testing.T, database string) {
		killAtEachStep(t, program, database)
	})
}

func killAtEachStep(t *testing.T, program, database string) {
	r := harness.PrepareRig(t, database, t.TempDir())
	r.Program = program
	r.Open(t)
	r.CreateWebhook(t, map[string]any{
		"eventType": "ACTIVE_ALERT", "targetUrl": r.Witness.URL, "template": `{"element": "#alert_element"}`,
		"policy": map[string]any{"retrySeconds": []int{1, 1, 1}},
	})
	r.Watch(t)
	l, next, rounds := harness.NewLedger(), 0, Rounds(1, 20)
	for _, at := range killPoints {
		if !at.on(kindOf(database)) {
			continue
		}
		result := Result{Fault: "kill -9: " + string(at.point), Database: kindOf(database), Rounds: rounds}
		first := time.Duration(0)
		for range rounds {
			r.Stop(t)
			// Retries take a second, so there are some only where they matter.
			r.Witness.Refusing.Store(at.passes == 1)
			nth := 1 + rand.IntN(at.passes)
			left, from := dieAt(r, t, l, at.point, nth, next)
			next = from
			r.Witness.Expect()
			began := time.Now()
			again, lost, took := r.Revive(t, l, left, 0, next)
			first = max(first, r.Witness.FirstSince(began))
			result.Duplicated += again
			result.Lost += lost
			result.Recovery = max(result.Recovery, took)
			if t.Failed() {
				return
			}
		}
		result.Note = "first call " + first.Round(time.Millisecond).String() + " after the restart"
		result.Report(t)
	}
	r.Saw(t)
	r.Witness.CheckIdentity(t)
	r.Stop(t)
}

// dieAt starts the server so that it dies at a point, reports events numbered
// from first on until it does, and returns what it left and the number after
// the last event.
func dieAt(
	r *harness.Rig, t *testing.T, l *harness.Ledger, at failpoint.Point, nth, first int,
) (harness.Remains, int) {
	t.Helper()
	const some = 60
	r.Start(t, fmt.Sprintf("%s=%s:%d", failpointSetting, at, nth))
	err := harness.Eventually(t.Context(), fmt.Sprintf("the server dies at %s:%d", at, nth),
		func(ctx context.Context) (bool, error) {
			select {
			case <-r.Server.Ended:
				return true, nil
			default:
			}
			// An error is what the server's end looks like.
			_ = harness.Load(ctx, r.Server, l, first, first+some)
			first += some
			return false, nil
		})
	if err != nil {
		t.Fatalf("%v%s", err, r.Server.Transcript())
	}
	var exit *exec.ExitError
	status, _ := r.Server.Cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !errors.As(r.Server.State, &exit) || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the server ended with %v, want that it was killed%s", r.Server.State, r.Server.Transcript())
	}
	return r.Examine(t, l), first
}
