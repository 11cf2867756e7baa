package fair

import (
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

func TestABreakerOpens(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		attempts string // + succeeded, - failed
		open     bool
	}{
		"nine failures in a row are not enough":      {"---------", false},
		"ten failures in a row":                      {"----------", true},
		"a success begins the row anew":              {"---------+---------", false},
		"half of fewer than twenty is not enough":    {"+-+-+-+-+-+-+-+-+-", false},
		"half of the last twenty":                    {"+-+-+-+-+-+-+-+-+-+-", true},
		"less than half of the last twenty":          {"++-++-++-++-++-++-++-++-", false},
		"what is older than the last twenty is gone": {"--------" + "+++++++++++++++" + "--------", false},
	} {
		var b breaker
		opened := false
		for _, a := range tt.attempts {
			opened = b.observe(b.epoch, a == '-', now, 8)
		}
		if opened != tt.open || (b.state == delivery.BreakerOpen) != tt.open {
			t.Errorf("%s: %s after %s", name, b.state, tt.attempts)
		}
	}
}

func TestABreakerProbesAndClimbs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var b breaker
	for range 10 {
		b.observe(b.epoch, true, now, 8)
	}
	// Each probe that fails doubles the pause, up to ten minutes.
	for _, want := range []time.Duration{30, 60, 120, 240, 480, 600, 600} {
		want *= time.Second
		if got := b.until.Sub(now); got != want {
			t.Fatalf("the pause is %s, want %s", got, want)
		}
		if n := b.pass(b.until.Add(-1), 8); n != 0 {
			t.Fatalf("%d attempts before the pause is over, want none", n)
		}
		now = b.until
		if n := b.pass(now, 8); n != 1 {
			t.Fatalf("%d attempts to probe, want 1", n)
		}
		b.observe(b.epoch, true, now, 8)
	}
	now = b.until
	b.pass(now, 8)
	for _, want := range []int{1, 2, 4} {
		if n := b.pass(now, 8); n != want {
			t.Fatalf("%d attempts at once, want %d", n, want)
		}
		for range want {
			b.observe(b.epoch, false, now, 8)
		}
	}
	if state, _ := b.status(now); state != delivery.BreakerClosed || b.pass(now, 8) != 8 {
		t.Errorf("after the climb the breaker is %s", state)
	}
}

func TestAttemptsFromBeforeDoNotCount(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var b breaker
	before := b.epoch
	for range 10 {
		b.observe(b.epoch, true, now, 8)
	}
	until := b.until
	b.observe(before, true, now, 8)
	b.pass(until, 8)
	b.observe(before, true, until, 8)
	if state, _ := b.status(until); state != delivery.BreakerHalfOpen {
		t.Errorf("a late failure made the breaker %s, want HALF_OPEN", state)
	}
}

func TestWhatAnAttemptSaysAboutItsTarget(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		attempt *delivery.Attempt
		want    Signal
	}{
		"no call":                      {nil, SignalNone},
		"accepted":                     {&delivery.Attempt{Outcome: egress.Success, HTTPStatus: 204}, SignalSuccess},
		"refused, so it works":         {&delivery.Attempt{Outcome: egress.HTTPError, HTTPStatus: 404}, SignalSuccess},
		"gone, so it answers":          {&delivery.Attempt{Outcome: egress.HTTPError, HTTPStatus: 410}, SignalSuccess},
		"moved, so it answers":         {&delivery.Attempt{Outcome: egress.Redirect, HTTPStatus: 301}, SignalSuccess},
		"too many requests":            {&delivery.Attempt{Outcome: egress.HTTPError, HTTPStatus: 429}, SignalFailure},
		"an error of its own":          {&delivery.Attempt{Outcome: egress.HTTPError, HTTPStatus: 503}, SignalFailure},
		"no answer in time":            {&delivery.Attempt{Outcome: egress.Timeout}, SignalFailure},
		"no such host":                 {&delivery.Attempt{Outcome: egress.DNSError}, SignalFailure},
		"nobody listens":               {&delivery.Attempt{Outcome: egress.ConnectError}, SignalFailure},
		"a bad certificate":            {&delivery.Attempt{Outcome: egress.TLSError}, SignalFailure},
		"an answer that breaks off":    {&delivery.Attempt{Outcome: egress.ResponseError}, SignalFailure},
		"never sent, by our own rules": {&delivery.Attempt{Outcome: egress.Blocked}, SignalNone},
		"broken off by ourselves":      {&delivery.Attempt{Outcome: egress.Canceled}, SignalNone},
		"too large to be sent":         {&delivery.Attempt{Outcome: delivery.BodyTooLarge}, SignalNone},
	} {
		if got := SignalOf(tt.attempt); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}
