package ent

import (
	"slices"
	"sync"
	"time"
)

// The classes of rows, each with an index of its own by due time: of those that
// wait there are two.
const (
	alerts = iota
	others
	lent

	classes = iota
)

const (
	// lowMargin is how far the low mark stays behind the database's clock:
	// rows that are due at once get the time at which their transaction began,
	// and are seen when it ends.
	lowMargin = 10 * time.Second
	// lowLife is how long a look for due rows goes by the low mark. Then one
	// starts at the very first row, and finds what came in below it.
	lowLife = time.Minute
	// circleLife is how long the webhooks that have rows are taken for the same.
	circleLife = time.Second
)

// A lowMark is the due time below which no row was due. What was claimed or
// settled stays in PostgreSQL's indexes until no open transaction could see it
// and vacuum has come by; a look that starts at the low mark need not step over
// it. The mark only saves work: whatever is below it is found a minute late.
type lowMark struct {
	mu      sync.Mutex
	at      [classes]int64
	from    [classes]time.Time // when the last look at everything ended
	changed int                // counts the rows that came in below
}

// begin returns where a look starts, and what end wants to know.
func (l *lowMark) begin(now time.Time) (at [classes]int64, mark lookMark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at = l.at
	for class := range at {
		if now.Sub(l.from[class]) >= lowLife {
			at[class] = 0
		}
	}
	return at, lookMark{began: now, from: at, changed: l.changed}
}

// A lookMark is what was known when a look began.
type lookMark struct {
	began   time.Time
	from    [classes]int64
	changed int
}

// end raises the mark of a class to what the look has found, unless something
// came in meanwhile.
func (l *lowMark) end(class int, m lookMark, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != m.changed {
		return
	}
	if m.from[class] == 0 {
		l.from[class] = m.began
	}
	l.at[class] = at
}

// admit tells of a row that this process made due at a time of its own.
func (l *lowMark) admit(due int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for class := range l.at {
		if due < l.at[class] {
			l.at[class] = due
			l.changed++
		}
	}
}

// A circle is all webhooks that have rows, as long as nobody doubts it.
type circle struct {
	mu    sync.Mutex
	all   []candidate
	since time.Time
}

// get returns the webhooks, nil when they are not known or are n or more.
func (c *circle) get(now time.Time, n int) []candidate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.since) >= circleLife || len(c.all) >= n {
		return nil
	}
	return slices.Clone(c.all)
}

func (c *circle) set(now time.Time, all []candidate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all, c.since = slices.Clone(all), now
}

// doubt makes the next claim look again.
func (c *circle) doubt() { c.set(time.Time{}, nil) }
