package delivery

import (
	"math/bits"
	"net/http"
	"time"

	"portalhooks/delivery/egress"
)

// A BreakerState says whether calls of a webhook are made.
type BreakerState string

// The states of a breaker.
const (
	BreakerClosed   BreakerState = "CLOSED"    // they are
	BreakerOpen     BreakerState = "OPEN"      // none is: the target has failed too often
	BreakerHalfOpen BreakerState = "HALF_OPEN" // a few are, to see whether the target works again
)

const (
	breakerStreak = 10 // failures in a row that open a breaker
	breakerWindow = 20 // latest attempts, half of which open it when they failed
	breakerPause  = 30 * time.Second
	breakerWait   = 10 * time.Minute // at most, between probes
)

// A breaker keeps a webhook's deliveries from a target that does nothing but
// fail. When it has been open for a while it lets one attempt through, then
// two, four and so on while they succeed, until it is closed. A failure
// meanwhile opens it for twice as long as before. The zero breaker is closed.
type breaker struct {
	state  BreakerState // "" for closed
	until  time.Time    // while it is open
	pause  time.Duration
	level  int // half-open: attempts at once
	good   int // and how many have succeeded at this level
	stage  int // grows when the state changes: earlier attempts count no more
	streak int
	window uint32 // the latest attempts, a bit each: 1 for a failure
	seen   int
}

// pass begins to probe when it is time to, and returns how many of most
// attempts may be in flight.
func (b *breaker) pass(now time.Time, most int) int {
	if b.state == BreakerOpen && !now.Before(b.until) {
		b.state, b.level, b.good = BreakerHalfOpen, 1, 0
		b.stage++
	}
	switch b.state {
	case BreakerOpen:
		return 0
	case BreakerHalfOpen:
		return min(b.level, most)
	}
	return most
}

// observe takes note of an attempt that was begun at the given stage, and
// reports whether the breaker has opened or closed.
func (b *breaker) observe(stage int, failed bool, now time.Time, most int) (changed bool) {
	switch {
	case stage != b.stage || b.state == BreakerOpen:
		return false
	case b.state == BreakerHalfOpen && failed:
		b.open(now, min(2*b.pause, breakerWait))
		return true
	case b.state == BreakerHalfOpen:
		return b.climb(most)
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
	b.state, b.pause, b.until = BreakerOpen, pause, now.Add(pause)
	b.stage++
}

// climb counts a success of a half-open breaker.
func (b *breaker) climb(most int) (closed bool) {
	b.good++
	if b.good < min(b.level, most) {
		return false
	}
	b.level, b.good = 2*b.level, 0
	if b.level < most {
		return false
	}
	*b = breaker{stage: b.stage + 1}
	return true
}

// fresh reports whether the breaker remembers nothing that matters.
func (b *breaker) fresh() bool { return b.state == "" && b.window == 0 }

// status returns the state at a time, and until when calls wait.
func (b *breaker) status(now time.Time) (BreakerState, time.Time) {
	switch {
	case b.state == "":
		return BreakerClosed, time.Time{}
	case b.state == BreakerOpen && now.Before(b.until):
		return BreakerOpen, b.until
	}
	return BreakerHalfOpen, time.Time{}
}

// An omen is what an attempt says about its target.
type omen int

const (
	noOmen omen = iota // nothing: there was no call
	goodOmen
	badOmen
)

// omenOf tells a target that does not work from one that answers, be it to
// refuse: the sender of a message that is refused is at fault, not the
// receiver.
func omenOf(a *Attempt) omen {
	switch {
	case a == nil:
		return noOmen
	case a.HTTPStatus == http.StatusTooManyRequests, a.HTTPStatus >= http.StatusInternalServerError:
		return badOmen
	}
	switch a.Outcome {
	case egress.Timeout, egress.DNSError, egress.ConnectError, egress.TLSError, egress.ResponseError:
		return badOmen
	case egress.Success, egress.Redirect, egress.HTTPError:
		return goodOmen
	}
	return noOmen
}
