package fair

import (
	"math/bits"
	"net/http"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

const (
	breakerStreak = 10 // failures in a row that open a breaker
	breakerWindow = 20 // latest attempts, half of which open it when they failed
	breakerPause  = 30 * time.Second
	// BreakerWait is the longest time between probes of a target that fails.
	BreakerWait = 10 * time.Minute
)

// A breaker is the circuit breaker of a webhook's target. When it has been open
// for a while it is half-open: it lets one attempt through, then two, four and
// so on while they succeed, until it is closed. A failure while it is half-open
// opens it for twice as long as before. The zero breaker is closed.
type breaker struct {
	state  delivery.BreakerState // "" for closed
	until  time.Time             // while it is open
	pause  time.Duration
	level  int // half-open: attempts at once
	good   int // and how many have succeeded at this level
	epoch  int // grows when the state changes: attempts of an earlier epoch no longer count
	streak int
	window uint32 // the latest attempts, a bit each: 1 for a failure
	seen   int
}

// pass begins to probe when the pause is over, and returns how many attempts may
// be in flight, at most limit.
func (b *breaker) pass(now time.Time, limit int) int {
	if b.state == delivery.BreakerOpen && !now.Before(b.until) {
		b.state, b.level, b.good = delivery.BreakerHalfOpen, 1, 0
		b.epoch++
	}
	switch b.state {
	case delivery.BreakerOpen:
		return 0
	case delivery.BreakerHalfOpen:
		return min(b.level, limit)
	}
	return limit
}

// observe records the end of an attempt that began in the given epoch, and
// reports whether the breaker has opened or closed.
func (b *breaker) observe(epoch int, failed bool, now time.Time, limit int) (changed bool) {
	switch {
	case epoch != b.epoch || b.state == delivery.BreakerOpen:
		return false
	case b.state == delivery.BreakerHalfOpen && failed:
		b.open(now, min(2*b.pause, BreakerWait))
		return true
	case b.state == delivery.BreakerHalfOpen:
		return b.climb(limit)
	}
	bit := uint32(0)
	b.streak++
	if failed {
		bit = 1
	} else {
		b.streak = 0
	}
	b.window = (b.window<<1 | bit) & (1<<breakerWindow - 1)
	b.seen = min(b.seen+1, breakerWindow)
	half := b.seen == breakerWindow && 2*bits.OnesCount32(b.window) >= breakerWindow
	if !failed || b.streak < breakerStreak && !half {
		return false
	}
	b.open(now, breakerPause)
	return true
}

func (b *breaker) open(now time.Time, pause time.Duration) {
	b.state, b.pause, b.until = delivery.BreakerOpen, pause, now.Add(pause)
	b.epoch++
}

// climb counts a success of a half-open breaker.
func (b *breaker) climb(limit int) (closed bool) {
	b.good++
	if b.good < min(b.level, limit) {
		return false
	}
	b.level, b.good = 2*b.level, 0
	if b.level < limit {
		return false
	}
	*b = breaker{epoch: b.epoch + 1}
	return true
}

// fresh reports whether the breaker remembers nothing that matters.
func (b *breaker) fresh() bool { return b.state == "" && b.window == 0 }

// status returns the state at a time, and until when calls wait.
func (b *breaker) status(now time.Time) (delivery.BreakerState, time.Time) {
	switch {
	case b.state == "":
		return delivery.BreakerClosed, time.Time{}
	case b.state == delivery.BreakerOpen && now.Before(b.until):
		return delivery.BreakerOpen, b.until
	}
	return delivery.BreakerHalfOpen, time.Time{}
}

// A Signal is what the end of a job tells a circuit breaker about the target.
type Signal int

// The signals.
const (
	SignalNone    Signal = iota // no call was made, or it says nothing
	SignalSuccess               // the target answers
	SignalFailure               // the target does not work
)

// SignalOf tells a target that does not work from one that answers, even with a
// refusal: a message that is refused is the fault of its sender, not of the
// receiver. A is nil when no call was made.
func SignalOf(a *delivery.Attempt) Signal {
	switch {
	case a == nil:
		return SignalNone
	case a.HTTPStatus == http.StatusTooManyRequests, a.HTTPStatus >= http.StatusInternalServerError:
		return SignalFailure
	}
	switch a.Outcome {
	case egress.Timeout, egress.DNSError, egress.ConnectError, egress.TLSError, egress.ResponseError:
		return SignalFailure
	case egress.Success, egress.Redirect, egress.HTTPError:
		return SignalSuccess
	}
	return SignalNone
}
