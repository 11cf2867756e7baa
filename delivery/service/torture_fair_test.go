package service

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/egress"
	"portalhooks/test/faults"
)

// One organization restarts 20,000 devices, each with a delivery to a webhook
// that takes 150 ms a call, or to twenty of them. Another organization's alert
// comes, and an ordinary event of it: neither waits for the 20,000.
func TestTortureFairness(t *testing.T) {
	for _, webhooks := range []int{20, 1}[:faults.Rounds(1, 2)] {
		bubble(t, func(t *testing.T) { besideARestart(t, webhooks) })
	}
}

const restartCall = 150 * time.Millisecond

func besideARestart(t *testing.T, webhooks int) {
	r := newRig(t, Options{}, nil)
	m := r.measured(func(ctx context.Context, url string) egress.Result {
		if strings.HasPrefix(url, "https://bulk-") {
			return answered(ctx, restartCall, http.StatusOK)
		}
		return answered(ctx, 30*time.Millisecond, http.StatusOK)
	})
	r.store.Change(func() {
		r.store.Took["Ingest"], r.store.Took["Settle"] = 10*time.Millisecond, 5*time.Millisecond
		r.store.Took["Claim"] = 10 * time.Millisecond
	})
	for i := range webhooks {
		r.webhook(fmt.Sprintf("https://bulk-%d.example/", i), bulk)
	}
	other := r.organization(2, "other")
	var alert, ordinary delivery.Webhook
	r.as(other, func() {
		alert = r.webhook(okURL)
		ordinary = r.webhook(hangURL, bulk)
	})
	stop := r.start()
	devices := 20_000 / webhooks
	restarted := make(chan delivery.IngestResult, 1)
	go func() {
		got, err := r.Ingest(context.Background(), testPortal, []delivery.Report{deliverytest.OperationOn(devices)})
		if err != nil {
			t.Error(err)
			got = make([]delivery.IngestResult, 1)
		}
		restarted <- got[0]
	}()
	worst := make(map[string]time.Duration)
	for range faults.Rounds(6, 100) {
		time.Sleep(437 * time.Millisecond)
		for _, w := range []delivery.Webhook{alert, ordinary} {
			began := time.Now()
			r.as(other, func() { r.ingest(1, w) })
			time.Sleep(2 * time.Second)
			calls := m.to(w.Version.Target, began)
			if len(calls) != 1 {
				t.Fatalf("%d calls for one event of the other organization within 2 s", len(calls))
			}
			worst[w.Version.Target] = max(worst[w.Version.Target], calls[0].at.Sub(began))
		}
	}
	if got := <-restarted; got.Status != delivery.Accepted || len(got.Events) != devices+1 {
		t.Errorf("the restart was %s with %d events", got.Status, len(got.Events))
	}
	if worst[okURL] >= 100*time.Millisecond {
		t.Errorf("an alert waited %s for another organization's restart, want less than 100 ms", worst[okURL])
	}
	// A worker is free again within a call's time, and it is this organization's turn.
	if worst[hangURL] >= restartCall+100*time.Millisecond {
		t.Errorf("an event waited %s for another organization's restart, want one call's time", worst[hangURL])
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	faults.Result{
		Fault:  fmt.Sprintf("another organization restarts %d devices, %d webhooks each", devices, webhooks),
		Rounds: devices * webhooks,
		Note:   fmt.Sprintf("an alert waits %s at most, an ordinary event %s", worst[okURL], worst[hangURL]),
	}.Report(t)
}
