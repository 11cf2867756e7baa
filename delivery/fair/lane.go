package fair

import (
	"time"

	"portalhooks/delivery"
)

// Limits are what a webhook's policy says about the pace of its calls.
type Limits struct {
	Concurrency int    // attempts in flight
	PerMinute   int    // attempts started in a minute; 0 for no rate limit
	Target      string // "" when no calls are made
}

// A lane holds the jobs of one webhook and what is known about its target.
type lane struct {
	id     delivery.WebhookID
	org    *orgTurn
	limits Limits

	jobs    fifo[delivery.Job]
	busy    int
	serial  bool          // one at a time: its deliveries are ordered
	queued  bool          // in its orgTurn's lanes
	refused int           // its bound when it refused a job; 0 when it has not
	ahead   time.Duration // how much work a lane with a rate limit holds in memory

	debt    int           // turns to skip, for attempts that took long
	usual   time.Duration // of an attempt
	breaker breaker
	next    time.Time // when the rate limit allows another attempt
	timer   *time.Timer
}

// A turn of longer attempts costs more, so that the workers' time is shared and
// not the number of attempts: one turn for each costUnit, maxCost at most.
const (
	costUnit = 50 * time.Millisecond
	maxCost  = 16
)

// cost is what an attempt is expected to cost, in turns.
func (l *lane) cost() int { return min(maxCost, 1+int(l.usual/costUnit)) }

// observe records how long an attempt took, as a moving average.
func (l *lane) observe(took time.Duration) { l.usual = (3*l.usual + took) / 4 }

// concurrency is how many attempts may be in flight while the circuit breaker
// is closed.
func (l *lane) concurrency() int {
	if l.serial {
		return 1
	}
	return l.limits.Concurrency
}

// limit is how many attempts may be in flight.
func (l *lane) limit(now time.Time) int {
	if l.breaker.state == "" {
		return l.concurrency()
	}
	return l.breaker.pass(now, l.concurrency())
}

// room is how many more jobs the lane takes; bound is what others take in all.
func (l *lane) room(now time.Time, bound int) int {
	if l.breaker.state != "" {
		return max(0, l.limit(now)-l.busy-l.jobs.len()) // nothing waits for a target that may not work
	}
	if l.limits.PerMinute > 0 {
		// What leaves well within a lease.
		bound = min(bound, max(1, int(int64(l.limits.PerMinute)*int64(l.ahead)/int64(time.Minute))))
	}
	return max(0, bound-l.jobs.len())
}

// rateSlack is by how much an attempt may come early, so that high rates are
// reached although timers are coarse. The next attempt comes that much later.
const rateSlack = 50 * time.Millisecond

// interval is the pause that the rate limit leaves between attempts.
func (l *lane) interval() time.Duration {
	return time.Minute / time.Duration(l.limits.PerMinute)
}

// wait returns for how long the rate limit forbids an attempt.
func (l *lane) wait(now time.Time) time.Duration {
	if l.limits.PerMinute == 0 {
		return 0
	}
	slack := rateSlack
	if l.interval() >= slack {
		slack = 0
	}
	return l.next.Add(-slack).Sub(now)
}

// spend takes one attempt from the rate limit.
func (l *lane) spend(now time.Time) {
	if l.limits.PerMinute == 0 {
		return
	}
	if l.next.Before(now) {
		l.next = now
	}
	l.next = l.next.Add(l.interval())
}

// restricted reports whether claims have to ask how many jobs the lane takes.
func (l *lane) restricted() bool { return l.breaker.state != "" || l.limits.PerMinute > 0 }

// idle reports whether the lane has no jobs at all.
func (l *lane) idle() bool { return l.busy == 0 && l.jobs.len() == 0 }

// push lets a job wait.
func (l *lane) push(job *delivery.Job) {
	l.jobs.push(*job)
	l.count(1)
}

// pop takes out the job that has waited for the longest.
func (l *lane) pop() delivery.Job {
	l.count(-1)
	return l.jobs.pop()
}

// empty takes all waiting jobs out.
func (l *lane) empty() []delivery.Job {
	jobs := make([]delivery.Job, 0, l.jobs.len())
	for l.jobs.len() > 0 {
		jobs = append(jobs, l.pop())
	}
	return jobs
}

// count notes that n more jobs wait.
func (l *lane) count(n int) {
	l.org.waiting += n
	l.org.org.waiting += n
}
