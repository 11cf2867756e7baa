package delivery

import (
	"net/http"
	"time"

	"portalhooks/delivery/egress"
)

// A Verdict is what an attempt leads to.
type Verdict struct {
	State State         // DELIVERED, RETRYING or FAILED; QUEUED when the attempt does not count
	Pause time.Duration // with RETRYING: how long the next attempt waits
	Gone  bool          // the receiver says that it is gone for good: disable the webhook
}

// Judge returns what attempt a leads to. retryAfter is the pause that the receiver
// asked for, 0 if none; random is from [0, 1).
//
// An attempt that this server canceled itself does not count: the delivery
// goes back to the queue as it was.
func Judge(p Policy, a *Attempt, retryAfter time.Duration, random float64) Verdict {
	switch {
	case a.Outcome == egress.Canceled:
		return Verdict{State: Queued}
	case a.Outcome == egress.Success:
		return Verdict{State: Delivered}
	case a.HTTPStatus == http.StatusGone:
		return Verdict{State: Failed, Gone: true}
	case a.Outcome == BodyTooLarge, p.Stop4xx && isPermanent(a.HTTPStatus):
		return Verdict{State: Failed}
	}
	schedule := p.Retry
	if schedule == nil {
		schedule = DefaultSchedule
	}
	if a.Number > len(schedule) {
		return Verdict{State: Failed}
	}
	pause := vary(schedule[max(a.Number, 1)-1], random)
	if a.HTTPStatus == http.StatusTooManyRequests || a.HTTPStatus == http.StatusServiceUnavailable {
		pause = max(pause, min(retryAfter, egress.MaxRetryAfter))
	}
	return Verdict{State: Retrying, Pause: pause}
}

// After returns d as it stands after attempt a, nil for none, which led to v at
// the given time.
func (d Delivery) After(a *Attempt, v Verdict, at time.Time) Delivery {
	d.State, d.NextAttemptAt = v.State, time.Time{}
	if v.State == Retrying {
		d.NextAttemptAt = at.Add(v.Pause)
	}
	if a != nil {
		d.Attempts = a.Number
	}
	if v.State.Final() {
		d.FinishedAt = at
	}
	return d
}

// isPermanent reports whether an answer blames the request in a way that
// sending it again won't change.
func isPermanent(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// jitter is how far a pause is varied either way, so that deliveries that
// failed together don't come back together.
const jitter = 0.2

// vary returns pause times a factor from 1-jitter to 1+jitter, by random from
// [0, 1).
func vary(pause time.Duration, random float64) time.Duration {
	return time.Duration(float64(pause) * (1 - jitter + 2*jitter*random))
}
