package main

import (
	"fmt"
	"testing"
)

// A group of thousands of devices is restarted: one report raises an event for
// each of them and one more. At the size of Portal's largest groups it runs as
// a benchmark too, for the race detector makes the server too slow for that.
func TestThousandsOfDevicesInOneReport(t *testing.T) {
	t.Parallel()
	onEveryKind(t, func(t *testing.T, r *rig) {
		r.listenToOperations(t)
		for _, want := range []string{"ACCEPTED", "DUPLICATE"} {
			r.restart(t, "big", 3000, want)
		}
		r.lost(t, &ledger{acked: map[string]bool{"Completed of 3000": true}})
		if err := r.server.stop(); err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkTwentyThousandDevices reports an operation on the largest group of
// devices that Portal has.
func BenchmarkTwentyThousandDevices(b *testing.B) {
	for name, database := range databases {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, database(b), "/")
			r.listenToOperations(b)
			n := 0
			for b.Loop() {
				n++
				r.restart(b, fmt.Sprintf("big-%d", n), 20_000, "ACCEPTED")
			}
			if err := r.server.stop(); err != nil {
				b.Error(err)
			}
		})
	}
}

func (r *rig) listenToOperations(t testing.TB) {
	t.Helper()
	r.createWebhook(t, map[string]any{
		"eventType": "OPERATION_EXECUTED", "targetUrl": r.witness.URL,
		"template": `{"element": "#operation_result of #workspaces_count"}`,
	})
}

// restart reports an operation on so many devices, which are all known by the
// time that the answer comes.
func (r *rig) restart(t testing.TB, operation string, devices int, want string) {
	t.Helper()
	workspaces := make([]any, devices)
	for i := range workspaces {
		workspaces[i] = map[string]any{
			"workspace": map[string]any{
				"id": fmt.Sprintf("66b1d0f47c5e2a91d3%06d", i), "name": fmt.Sprintf("WS-%d", i),
				"lastUser": "ACME\\somebody", "reportingGroupId": "665f20d1b4d07e3c9a1f0e51",
				"reportingGroupName": "Barcelona Office",
			},
			"startDate": "2026-01-14T10:00:03Z", "endDate": "2026-01-14T10:02:41Z", "result": "COMPLETED",
		}
	}
	_, answer, err := ask(t.Context(), r.server.url, r.server.Portal, ingestMutation, map[string]any{
		"input": []any{map[string]any{
			"organizationId": "load", "sourceEventId": operation,
			"event": map[string]any{"operation": map[string]any{
				"operationId": operation, "typeId": "restart", "typeName": "Restart",
				"startDate": "2026-01-14T10:00:02Z", "endDate": "2026-01-14T10:30:04Z", "workspaces": workspaces,
			}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"status": want, "eventIds.len": fmt.Sprint(devices + 1), "deliveries": "1",
	} {
		if got, err := textAt(answer, "data.ingestEvents.results.0."+path); err != nil || got != want {
			t.Fatalf("%s = %q (%v), want %s in %.500s%s", path, got, err, want, answer, r.server.transcript())
		}
	}
}
