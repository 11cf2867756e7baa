package delivery

import (
	"cmp"
	"time"
)

// Rules are what a webhook's policy says about the pace of its calls.
type rules struct {
	most      int    // attempts in flight
	perMinute int    // attempts begun; 0 for no limit
	target    string // "" when there are no calls
}

// rulesOf returns the rules of a webhook; perHook is the server's default. One
// that takes no calls has no target, and neither a rate nor a breaker holds up
// the end of its deliveries.
func rulesOf(w *Webhook, perHook int) rules {
	if w.Version.Deleted || w.Status != Enabled {
		return rules{most: perHook}
	}
	p := &w.Version.Policy
	return rules{most: cmp.Or(p.Concurrency, perHook), perMinute: p.PerMinute, target: w.Version.Target}
}

// A lane holds the tasks of one webhook and what is known about its target.
type lane struct {
	id    WebhookID
	org   *orgTurn
	rules rules

	tasks   fifo[task]
	busy    int
	serial  bool // one at a time: its deliveries are ordered
	queued  bool // in its orgTurn's lanes
	refused int  // its bound when it refused a task; 0 when it has not

	debt    int           // turns that it passes on, for attempts that took long
	usual   time.Duration // of an attempt
	breaker breaker
	next    time.Time // when the rate allows another attempt
	timer   *time.Timer
}

// A turn of longer attempts costs more, so that workers' time is shared and
// not the number of attempts: one turn for each costUnit, maxCost at most.
const (
	costUnit = 50 * time.Millisecond
	maxCost  = 16
)

// cost is what an attempt is expected to cost.
func (l *lane) cost() int { return min(maxCost, 1+int(l.usual/costUnit)) }

// learn takes note of how long an attempt took.
func (l *lane) learn(took time.Duration) { l.usual = (3*l.usual + took) / 4 }

// most is how many attempts may be in flight when all is well.
func (l *lane) most() int {
	if l.serial {
		return 1
	}
	return l.rules.most
}

// limit is how many attempts may be in flight.
func (l *lane) limit(now time.Time) int {
	if l.breaker.state == "" {
		return l.most()
	}
	return l.breaker.pass(now, l.most())
}

// room is how many more tasks the lane takes; bound is what others take in all.
func (l *lane) room(now time.Time, bound int) int {
	if l.breaker.state != "" {
		return max(0, l.limit(now)-l.busy-l.tasks.len()) // nothing waits for a target that may not work
	}
	if l.rules.perMinute > 0 {
		bound = min(bound, max(1, int(int64(l.rules.perMinute)*int64(pacedAhead)/int64(time.Minute))))
	}
	return max(0, bound-l.tasks.len())
}

const (
	// pacedAhead is how much work a lane with a rate holds in memory: what
	// leaves well within a lease.
	pacedAhead = jobLease / 4
	// paceSlack is by how much an attempt may come early, so that high rates are
	// reached although timers are coarse. What comes early is missing later.
	paceSlack = 50 * time.Millisecond
)

// interval is the pause that the rate leaves between attempts.
func (l *lane) interval() time.Duration {
	return time.Minute / time.Duration(l.rules.perMinute)
}

// wait returns for how long the rate forbids an attempt.
func (l *lane) wait(now time.Time) time.Duration {
	if l.rules.perMinute == 0 {
		return 0
	}
	slack := paceSlack
	if l.interval() >= slack {
		slack = 0
	}
	return l.next.Add(-slack).Sub(now)
}

// spend takes one attempt from the rate.
func (l *lane) spend(now time.Time) {
	if l.rules.perMinute == 0 {
		return
	}
	if l.next.Before(now) {
		l.next = now
	}
	l.next = l.next.Add(l.interval())
}

// special reports whether claims have to ask how many tasks the lane takes.
func (l *lane) special() bool { return l.breaker.state != "" || l.rules.perMinute > 0 }

// idle reports whether the lane has no tasks at all.
func (l *lane) idle() bool { return l.busy == 0 && l.tasks.len() == 0 }

// empty takes all waiting tasks out.
func (l *lane) empty() []task {
	tasks := make([]task, 0, l.tasks.len())
	for l.tasks.len() > 0 {
		tasks = append(tasks, l.tasks.pop())
	}
	return tasks
}
