package service

import (
	"context"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

// untilTimeout is a receiver that hangs until the call's own timeout.
func untilTimeout(ctx context.Context, req egress.Request) egress.Result {
	call, cancel := context.WithTimeout(ctx, req.Timeout)
	defer cancel()
	began := time.Now()
	<-call.Done()
	if ctx.Err() != nil {
		return egress.Result{Started: began, Outcome: egress.Canceled}
	}
	return egress.Result{Started: began, Duration: time.Since(began), Outcome: egress.Timeout, Err: "Too slow."}
}

// A receiver that is too slow is what the test has found out, whether its own
// timeout or the caller's time ends first.
func TestASlowReceiverIsAResultOfTheTest(t *testing.T) {
	for name, tt := range map[string]struct {
		caller, want time.Duration
	}{
		"the webhook's timeout is first": {40 * time.Second, delivery.MaxTimeout},
		"the caller's time is first":     {10 * time.Second, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, Options{}, nil)
				r.post = untilTimeout
				w := r.webhook(hangURL, func(w *delivery.Webhook) { w.Version.Policy.Timeout = delivery.MaxTimeout })
				r.start()
				ctx, cancel := context.WithTimeout(t.Context(), tt.caller)
				defer cancel()
				got, err := r.TestWebhook(ctx, admin, TestInput{Webhook: w.ID})
				if err != nil {
					t.Fatal(err)
				}
				if got.Entry.Attempt.Outcome != egress.Timeout || got.Entry.Attempt.Duration != tt.want ||
					got.Delivery.State != delivery.Failed {
					t.Errorf("got %+v, %s, want %s after %s", got.Entry.Attempt, got.Delivery.State, egress.Timeout, tt.want)
				}
			})
		})
	}
}

// A test that has no time left is refused before anything is sent.
func TestATestWithoutTimeIsNotSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.start()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := r.TestWebhook(ctx, admin, TestInput{Webhook: w.ID})
		if delivery.CodeOf(err) != delivery.Unavailable || len(r.sent()) != 0 {
			t.Errorf("%v after %d calls, want %s after none", err, len(r.sent()), delivery.Unavailable)
		}
	})
}
