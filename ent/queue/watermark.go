package queue

import (
	"sync"
	"time"
)

// The classes of rows, each with an index of its own by due time: waiting alerts,
// other waiting rows, and leased rows.
const (
	alerts = iota
	others
	leased

	classes = iota
)

const (
	// watermarkMargin is how far the watermarks stay behind the database's clock:
	// rows that are due at once get the time at which their transaction began,
	// and are visible when it ends.
	watermarkMargin = 10 * time.Second
	// watermarkLife is how long a scan for due rows starts at the watermark. Then
	// one starts at the very first row, and finds what came in below it.
	watermarkLife = time.Minute
)

// A watermarks holds, for each class, the due time below which no row was due.
// Rows that were claimed or settled stay in PostgreSQL's indexes until no open
// transaction could see them and vacuum has removed them; a scan that starts at
// the watermark need not step over them. The watermarks only save work: a row
// below one is found a minute late. Nil watermarks are always zero.
type watermarks struct {
	mu      sync.Mutex
	at      [classes]int64
	from    [classes]time.Time // when the last scan from the first row ended
	changed int                // counts the rows that came in below
}

// begin returns where a scan starts, and what end wants to know.
func (w *watermarks) begin(now time.Time) (at [classes]int64, mark scanMark) {
	if w == nil {
		return at, mark
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at = w.at
	for class := range at {
		if now.Sub(w.from[class]) >= watermarkLife {
			at[class] = 0
		}
	}
	return at, scanMark{began: now, from: at, changed: w.changed}
}

// A scanMark is what was known when a scan began.
type scanMark struct {
	began   time.Time
	from    [classes]int64
	changed int
}

// end raises the watermark of a class to what the scan has found, unless a row
// came in below it meanwhile.
func (w *watermarks) end(class int, m scanMark, at int64) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed != m.changed {
		return
	}
	if m.from[class] == 0 {
		w.from[class] = m.began
	}
	w.at[class] = at
}

// admit lowers the watermarks for a row that this server made due at a time of
// its own.
func (w *watermarks) admit(due int64) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for class := range w.at {
		if due < w.at[class] {
			w.at[class] = due
			w.changed++
		}
	}
}
