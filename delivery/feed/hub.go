package feed

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"portalhooks/delivery/failpoint"
)

// A Log is what a Hub reads. Any goroutine may call its functions.
type Log[T any] struct {
	// Tail returns the position behind the latest entry.
	Tail func(ctx context.Context) (Vector, error)
	// Follow returns at most limit entries that are not in after, of each slot
	// the lowest numbers first. It must never return an entry before one of the
	// same slot that has a lower number and is committed later. The entries are
	// shared: nobody may change them.
	Follow func(ctx context.Context, after Vector, limit int) ([]T, error)
	// Place returns the slot and the number of an entry, which is positive.
	Place func(entry T) (slot int, number int64)
	// At returns when an entry was made.
	At func(entry T) time.Time
	// Size returns about how many bytes an entry takes in memory.
	Size func(entry T) int
}

// pass moves a position past an entry. It never moves back.
func (l *Log[T]) pass(c *Cursor, e T) {
	c.Seen.Advance(l.Place(e))
	if at := l.At(e); at.After(c.At) {
		c.At = at
	}
}

// Options tune a Hub. The zero value is ready for production.
type Options struct {
	Entries  int             // kept in the ring; 10,000 if zero
	Bytes    int             // kept in the ring, by Log.Size; 16 MiB if zero
	Page     int             // entries that a subscriber reads at once; 100 if zero
	Replays  int             // subscribers that read the log itself at once; 2 if zero
	Poll     time.Duration   // between reads when no wake-up comes; 2 s if zero
	Pause    time.Duration   // between reads when wake-ups never stop, up to ten times as long; 5 ms if zero
	External <-chan struct{} // wake-ups from outside of the process; may be nil
	Logger   *slog.Logger    // slog.Default() if nil
}

func (o Options) withDefaults() Options {
	o.Entries = cmp.Or(o.Entries, 10_000)
	o.Bytes = cmp.Or(o.Bytes, 16<<20)
	o.Page = cmp.Or(o.Page, 100)
	o.Replays = cmp.Or(o.Replays, 2)
	o.Poll = cmp.Or(o.Poll, 2*time.Second)
	o.Pause = cmp.Or(o.Pause, 5*time.Millisecond)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return o
}

// pauses is how many times as long as a read took the hub then does not read.
const pauses = 9

// A Hub reads the end of a log for all its subscribers. While there are none
// it reads nothing.
type Hub[T any] struct {
	log     Log[T]
	opts    Options
	wake    chan struct{} // holds one wake-up
	replays chan struct{} // holds one token for each subscriber that reads the log

	mu      sync.RWMutex
	ring    *ring[T]            // nil while there are no subscribers
	views   map[string]*view[T] // by the key of the interest; of all subscribers
	changed chan struct{}       // closed and replaced when the ring grows
	count   int                 // subscribers
	stopped bool
	ended   chan struct{} // closed with stopped
}

// New returns a hub over log. It does nothing before Run is called.
func New[T any](log Log[T], o Options) *Hub[T] {
	o = o.withDefaults()
	return &Hub[T]{
		log: log, opts: o,
		wake:    make(chan struct{}, 1),
		replays: make(chan struct{}, o.Replays),
		views:   map[string]*view[T]{},
		changed: make(chan struct{}),
		ended:   make(chan struct{}),
	}
}

// Wake tells the hub that the log has grown. It never blocks.
func (h *Hub[T]) Wake() {
	select {
	case h.wake <- struct{}{}:
	default: // one is waiting already
	}
}

// Tail returns the position behind the latest entry of the log.
func (h *Hub[T]) Tail(ctx context.Context) (Vector, error) { return h.log.Tail(ctx) }

// Stopped returns a channel that is closed when Run has returned.
func (h *Hub[T]) Stopped() <-chan struct{} { return h.ended }

// Subscribers returns how many there are.
func (h *Hub[T]) Subscribers() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.count
}

// Run reads the log until ctx ends, then tells all subscribers that it has
// stopped. It returns nil.
func (h *Hub[T]) Run(ctx context.Context) error {
	defer h.stop()
	poll := time.NewTicker(h.opts.Poll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.wake:
		case <-h.opts.External:
		case <-poll.C:
		}
		began := time.Now()
		if err := h.read(ctx); err != nil && ctx.Err() == nil {
			h.opts.Logger.WarnContext(ctx, "read the live log", "err", err)
		}
		// A pause gathers the wake-ups of a busy log into one read. It is long
		// where reading takes long, so that those who write have the database.
		pause := max(h.opts.Pause, min(pauses*time.Since(began), 10*h.opts.Pause))
		if !sleep(ctx, pause) {
			return nil
		}
	}
}

func (h *Hub[T]) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	close(h.changed)
	for _, v := range h.views {
		close(v.changed)
	}
	close(h.ended)
}

// read brings the ring to the end of the log.
func (h *Hub[T]) read(ctx context.Context) error {
	r, err := h.open(ctx)
	if r == nil || err != nil {
		return err
	}
	limit := min(h.opts.Entries, 10*h.opts.Page)
	for {
		// Only this goroutine changes the ring, so it may look without the lock.
		entries, err := h.log.Follow(ctx, r.head.Seen, limit)
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			failpoint.Hit(failpoint.FeedBeforePublish)
			h.grow(r, entries)
		}
		if len(entries) < limit || h.Subscribers() == 0 {
			return nil
		}
	}
}

// open returns the ring, which begins at the end of the log when it is new, or
// nil when nobody needs one.
func (h *Hub[T]) open(ctx context.Context) (*ring[T], error) {
	h.mu.RLock()
	r, count := h.ring, h.count
	h.mu.RUnlock()
	if r != nil || count == 0 {
		return r, nil
	}
	at := Cursor{At: time.Now()}
	var err error
	if at.Seen, err = h.log.Tail(ctx); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count == 0 {
		return nil, nil
	}
	h.ring = newRing(h.opts, at, h.log, h.views)
	h.announce() // what subscribers could not see before is behind the ring's start
	return h.ring, nil
}

func (h *Hub[T]) grow(r *ring[T], entries []T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.grow(entries)
	h.announce()
}

// announce wakes everybody who waits for more to read. It needs the lock.
func (h *Hub[T]) announce() {
	if h.stopped {
		return
	}
	close(h.changed)
	h.changed = make(chan struct{})
	for _, v := range h.views {
		v.announce()
	}
}

// sleep waits for d and reports whether ctx still lasts.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
