package feed

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"portalhooks/delivery/failpoint"
	"portalhooks/delivery/loop"
)

// A Log is the log that a Hub reads. Its functions must be safe for concurrent use.
type Log[T any] struct {
	// Tail returns the position after the latest entry.
	Tail func(ctx context.Context) (Vector, error)
	// Follow returns at most limit entries after a position, in ascending order
	// within each slot. It must not return an entry while one of the same slot with
	// a lower number may still commit. The entries are shared and must not be
	// modified.
	Follow func(ctx context.Context, after Vector, limit int) ([]T, error)
	// Place returns the slot and the number of an entry. Numbers are positive.
	Place func(entry T) (slot int, number int64)
	// At returns the time of an entry.
	At func(entry T) time.Time
	// Size returns the approximate size of an entry in memory, in bytes.
	Size func(entry T) int
}

// pass moves a position past an entry. It never moves the position back.
func (l *Log[T]) pass(c *Cursor, e T) {
	c.Seen.Advance(l.Place(e))
	if at := l.At(e); at.After(c.At) {
		c.At = at
	}
}

// Options tune a Hub. The zero value is ready for production.
type Options struct {
	Entries  int             // capacity of the ring; 10,000 if zero
	Bytes    int             // capacity of the ring, by Log.Size; 16 MiB if zero
	Page     int             // maximum entries per read of a subscriber; 100 if zero
	Replays  int             // maximum concurrent reads of the log by subscribers; 2 if zero
	Poll     time.Duration   // maximum interval between reads; 2s if zero
	Pause    time.Duration   // minimum pause between reads, extended up to tenfold under load; 5ms if zero
	External <-chan struct{} // wake-ups from other servers; may be nil

	Text   func(Cursor) string // writes the cursors of items; Cursor.String if nil
	Logger *slog.Logger        // slog.Default() if nil
}

func (o Options) withDefaults() Options {
	o.Entries = cmp.Or(o.Entries, 10_000)
	o.Bytes = cmp.Or(o.Bytes, 16<<20)
	o.Page = cmp.Or(o.Page, 100)
	o.Replays = cmp.Or(o.Replays, 2)
	o.Poll = cmp.Or(o.Poll, 2*time.Second)
	o.Pause = cmp.Or(o.Pause, 5*time.Millisecond)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.Text == nil {
		o.Text = Cursor.String
	}
	return o
}

// pauseFactor is the minimum pause after a read in multiples of its duration, so that
// the hub spends at most a tenth of the time reading.
const pauseFactor = 9

// A Hub reads the end of a log on behalf of all its subscribers. Without subscribers
// it does not read.
type Hub[T any] struct {
	log     Log[T]
	opts    Options
	wake    loop.Wake
	replays chan struct{} // semaphore of the subscribers that read the log

	mu      sync.RWMutex
	ring    *ring[T]            // nil without subscribers
	views   map[string]*view[T] // of all subscribers, by Interest.Key
	changed chan struct{}       // closed and replaced when the ring grows
	count   int                 // subscribers
	stopped bool
	ended   chan struct{} // closed when stopped
}

// New returns a hub for log. It does nothing until Run is called.
func New[T any](log Log[T], o Options) *Hub[T] {
	o = o.withDefaults()
	return &Hub[T]{
		log: log, opts: o,
		wake:    loop.NewWake(),
		replays: make(chan struct{}, o.Replays),
		views:   map[string]*view[T]{},
		changed: make(chan struct{}),
		ended:   make(chan struct{}),
	}
}

// Wake makes the hub read the log. It never blocks.
func (h *Hub[T]) Wake() { h.wake.Notify() }

// Tail returns the position after the latest entry of the log.
func (h *Hub[T]) Tail(ctx context.Context) (Vector, error) { return h.log.Tail(ctx) }

// Stopped returns a channel that is closed when Run has returned.
func (h *Hub[T]) Stopped() <-chan struct{} { return h.ended }

// Subscribers returns the number of open subscriptions.
func (h *Hub[T]) Subscribers() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.count
}

// Run reads the log until ctx ends and then wakes all subscribers, whose Read returns
// ErrStopped. It returns nil.
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
			h.opts.Logger.WarnContext(ctx, "read the delivery log", "err", err)
		}
		// The pause coalesces the wake-ups of a busy log. It grows with the duration
		// of a read, to leave the database to the writers.
		pause := max(h.opts.Pause, min(pauseFactor*time.Since(began), 10*h.opts.Pause))
		if !loop.Sleep(ctx, pause) {
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

// read fills the ring up to the end of the log.
func (h *Hub[T]) read(ctx context.Context) error {
	r, err := h.open(ctx)
	if r == nil || err != nil {
		return err
	}
	limit := min(h.opts.Entries, 10*h.opts.Page)
	for {
		// Only this goroutine modifies the ring, so it may read it without the lock.
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

// open returns the ring, or nil without subscribers. A new ring starts at the end of
// the log.
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
	h.announce() // entries before the start of the ring can be read from the log now
	return h.ring, nil
}

func (h *Hub[T]) grow(r *ring[T], entries []T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.grow(entries)
	h.announce()
}

// announce wakes the waiting subscribers. The caller must hold the lock.
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
