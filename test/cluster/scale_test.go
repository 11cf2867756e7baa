package cluster

import (
	"fmt"
	"testing"

	"portalhooks/test/harness"
)

// A group of thousands of devices is restarted: one report raises an event for
// each of them and one more. At the size of Portal's largest groups it runs as
// a benchmark too, for the race detector makes the server too slow for that.
func TestThousandsOfDevicesInOneReport(t *testing.T) {
	t.Parallel()
	harness.OnEveryKind(t, func(t *testing.T, r *harness.Rig) {
		listenToOperations(r, t)
		for _, want := range []string{"ACCEPTED", "DUPLICATE"} {
			r.Restart(t, "big", 3000, want)
		}
		r.Lost(t, &harness.Ledger{Acked: map[string]bool{"Completed of 3000": true}})
		if err := r.Server.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkTwentyThousandDevices reports an operation on the largest group of
// devices that Portal has.
func BenchmarkTwentyThousandDevices(b *testing.B) {
	for name, database := range harness.Databases {
		b.Run(name, func(b *testing.B) {
			r := harness.NewRig(b, database(b), "/")
			listenToOperations(r, b)
			n := 0
			for b.Loop() {
				n++
				r.Restart(b, fmt.Sprintf("big-%d", n), 20_000, "ACCEPTED")
			}
			if err := r.Server.Stop(); err != nil {
				b.Error(err)
			}
		})
	}
}

func listenToOperations(r *harness.Rig, t testing.TB) {
	t.Helper()
	r.CreateWebhook(t, map[string]any{
		"eventType": "OPERATION_EXECUTED", "targetUrl": r.Witness.URL,
		"template": `{"element": "#operation_result of #workspaces_count"}`,
	})
}
