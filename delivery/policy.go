package delivery

import (
	"cmp"
	"time"
)

// A Policy says how a webhook's messages are sent. The zero Policy means the
// defaults.
type Policy struct {
	Timeout  time.Duration // for one attempt, from dial to the body's end; 1 s to 30 s, 15 s if zero
	Retry    Schedule      // pauses between attempts; DefaultSchedule if nil
	Stop4xx  bool          // an answer 400 to 499 other than 408, 425 and 429 is final
	TimeZone string        // IANA name, for templates' date filter; UTC if empty
	// Concurrency is how many attempts may be in flight at once, 1 to 64; the
	// server's default if zero. With Ordered it is one.
	Concurrency int
	// PerMinute is how many attempts may begin in a minute, evenly spread, 1 to
	// 60,000; no limit if zero. Each server keeps it on its own.
	PerMinute int
	// Ordered sends one delivery after the other, in the order of their ids. One
	// that is retried holds up all later ones until it is delivered or given up.
	Ordered bool
}

// A Schedule holds the pauses between a delivery's attempts: the n-th pause
// follows the n-th failed attempt. Each is varied by up to 20 % either way.
type Schedule []time.Duration

// DefaultSchedule makes ten attempts within about three days.
var DefaultSchedule = Schedule{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// Limits of a Policy.
const (
	DefaultTimeout = 15 * time.Second
	MinTimeout     = time.Second
	MaxTimeout     = 30 * time.Second
	MaxRetries     = 20
	MinRetryPause  = time.Second
	MaxRetryPause  = 72 * time.Hour

	DefaultConcurrency = 8
	MaxConcurrency     = 64
	MaxPerMinute       = 60_000
)

// WithDefaults returns p with every default filled in.
func (p Policy) WithDefaults() Policy {
	p.Timeout = cmp.Or(p.Timeout, DefaultTimeout)
	p.TimeZone = cmp.Or(p.TimeZone, "UTC")
	p.Concurrency = cmp.Or(p.Concurrency, DefaultConcurrency)
	if p.Retry == nil {
		p.Retry = DefaultSchedule
	}
	return p
}

// AttemptTimeout returns the deadline of one attempt, within the limits.
func (p Policy) AttemptTimeout() time.Duration {
	if p.Timeout <= 0 {
		return DefaultTimeout
	}
	return min(max(p.Timeout, MinTimeout), MaxTimeout)
}
