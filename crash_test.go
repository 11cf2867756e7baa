package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// createWebhook makes the webhook that the load is for.
func (r *rig) createWebhook(t *testing.T, receiver string) {
	t.Helper()
	answer := r.query(t, "create-webhook.graphql", map[string]any{"input": map[string]any{
		"organizationId": "load", "name": "Load", "eventType": "ACTIVE_ALERT",
		"selection": map[string]any{"all": true}, "targetUrl": r.witness.URL + receiver,
		"template": `{"element": "#alert_element"}`,
		"policy":   map[string]any{"retrySeconds": []int{1, 1, 1}},
	}})
	if problems, err := textAt(answer, "data.createWebhook.userErrors"); err != nil || problems != "[]" {
		t.Fatalf("create the webhook: %s", answer)
	}
}

// run runs one of the program's other commands beside the server.
func (r *rig) run(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("portalhooks")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("portalhooks %q: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// settled waits until no delivery is under way any more.
func (r *rig) settled(t *testing.T) {
	t.Helper()
	pending := map[string]any{"org": "load", "filter": map[string]any{
		"states": []string{"QUEUED", "SENDING", "RETRYING"},
	}}
	err := eventually(t.Context(), "no delivery is pending", func(context.Context) (bool, error) {
		left, err := textAt(r.query(t, "deliveries.graphql", pending), "data.organization.deliveries.nodes.len")
		return left == "0", err
	})
	if err != nil {
		t.Fatalf("%v%s", err, r.server.transcript())
	}
}

// arrived waits until the witness has accepted everything in the ledger.
func (r *rig) arrived(t *testing.T, l *ledger) {
	t.Helper()
	err := eventually(t.Context(), "everything acknowledged is delivered", func(context.Context) (bool, error) {
		_, some := r.witness.missing(l.acked)
		return !some, nil
	})
	if err != nil {
		one, _ := r.witness.missing(l.acked)
		t.Fatalf("%v: %s is not%s", err, one, r.server.transcript())
	}
}

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

// A group of 20,000 devices is restarted: one report raises 20,001 events.
func TestTwentyThousandDevicesInOneReport(t *testing.T) {
	t.Parallel()
	const devices = 20_000
	onEveryKind(t, "/", func(t *testing.T, r *rig) {
		answer := r.query(t, "create-webhook.graphql", map[string]any{"input": map[string]any{
			"organizationId": "load", "name": "Restarts", "eventType": "OPERATION_EXECUTED",
			"selection": map[string]any{"all": true}, "targetUrl": r.witness.URL,
			"template": `{"element": "#operation_result of #workspaces_count"}`,
		}})
		if problems, err := textAt(answer, "data.createWebhook.userErrors"); err != nil || problems != "[]" {
			t.Fatalf("create the webhook: %s", answer)
		}
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
		input := map[string]any{"input": []any{map[string]any{
			"organizationId": "load", "sourceEventId": "big", "event": map[string]any{"operation": map[string]any{
				"operationId": "big", "typeId": "restart", "typeName": "Restart",
				"startDate": "2026-01-14T10:00:02Z", "endDate": "2026-01-14T10:30:04Z", "workspaces": workspaces,
			}},
		}}}
		for _, want := range []string{"ACCEPTED", "DUPLICATE"} {
			_, answer, err := ask(t.Context(), r.server.url, r.server.Portal, ingestMutation, input)
			if err != nil {
				t.Fatal(err)
			}
			const result = "data.ingestEvents.results.0."
			status, err := textAt(answer, result+"status")
			if err != nil || status != want {
				t.Fatalf("status %q (%v) in %.500s, want %s%s", status, err, answer, want, r.server.transcript())
			}
			if n, err := textAt(answer, result+"eventIds.len"); err != nil || n != "20001" {
				t.Errorf("%s events (%v), want 20001", n, err)
			}
			if n, err := textAt(answer, result+"deliveries"); err != nil || n != "1" {
				t.Errorf("%s deliveries (%v), want 1", n, err)
			}
		}
		r.arrived(t, &ledger{acked: map[string]bool{"Completed of 20000": true}})
		if err := r.server.stop(); err != nil {
			t.Error(err)
		}
	})
}
