package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/feed"
	"portalhooks/delivery/loop"
)

const (
	heartbeatEvery = 15 * time.Second // of a subscriber that sees nothing else
	watchRetry     = time.Second      // after an error of the store
	cursorSkew     = time.Minute      // how far another server's clock may be ahead
)

// A Publisher lets subscribers follow the delivery log.
type Publisher struct {
	store logStore
	hub   *feed.Hub[*delivery.LogEntry]
	keys  feed.Sealer // of cursors: they say what was logged about others
	log   *slog.Logger
}

// A logStore is the part of the Store that a Log reads.
type logStore interface {
	Tail(ctx context.Context) (map[int]delivery.LogID, error)
	Follow(ctx context.Context, after map[int]delivery.LogID, limit int) ([]delivery.LogEntry, error)
	Horizon(ctx context.Context) (time.Time, error)
	EventsByID(ctx context.Context, org delivery.OrgID, ids []delivery.EventID) ([]delivery.Event, error)
	Wake() <-chan struct{}
}

// newPublisher returns a publisher over store whose cursors are sealed with keys.
func newPublisher(store logStore, keys feed.Sealer, log *slog.Logger) *Publisher {
	l := &Publisher{store: store, keys: keys, log: log}
	l.hub = feed.New(feed.Log[*delivery.LogEntry]{
		Tail: func(ctx context.Context) (feed.Vector, error) {
			tail, err := store.Tail(ctx)
			return toVector(tail), err
		},
		Follow: l.follow,
		Place:  place,
		At:     func(e *delivery.LogEntry) time.Time { return e.At },
		Size:   sizeOf,
	}, feed.Options{External: store.Wake(), Text: l.text, Logger: log})
	return l
}

// text returns a cursor as subscribers get it.
func (l *Publisher) text(c feed.Cursor) string { return c.Sealed(l.keys) }

// Run reads the log for the subscribers until ctx ends.
func (l *Publisher) Run(ctx context.Context) error { return l.hub.Run(ctx) }

// Wake says that the log has grown. It never blocks.
func (l *Publisher) Wake() { l.hub.Wake() }

// Subscribers returns how many there are.
func (l *Publisher) Subscribers() int { return l.hub.Subscribers() }

// Watch follows the delivery log: first what came after the cursor, then what
// comes, each entry once, in the order of the cursors. It sends a heartbeat
// when there was nothing else for 15 seconds, and first of all to a subscriber
// without a cursor, which could not go on without a gap if it were cut off
// before the first entry. The channel has no buffer and is closed when ctx ends
// or the server stops. It returns Invalid for a cursor that is none.
func (l *Publisher) Watch(ctx context.Context, in delivery.WatchInput) (<-chan delivery.LogItem, error) {
	tail, err := l.hub.Tail(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the log: %w", err)
	}
	s := &subscriber{
		log: l, in: in, tail: tail, out: make(chan delivery.LogItem),
		match: delivery.NewEntryFilter(in.Org, in.Filter),
	}
	from := feed.Cursor{At: time.Now(), Seen: tail}
	if in.After != "" {
		if from, err = l.parseCursor(in.After, tail); err != nil {
			return nil, err
		}
		if s.gap, err = l.gapAfter(ctx, from); err != nil {
			return nil, err
		}
	}
	s.sub = l.hub.Subscribe(from, feed.Interest[*delivery.LogEntry]{Key: s.match.Key(), Wants: s.match.Entry})
	go s.run(ctx)
	return s.out, nil
}

// parseCursor reads a cursor, sealed or from before they were, and refuses one that
// no log of ours could have given out: ids that are ahead of the clock and of the
// log. After a clock that was ahead the log is, too. The time alone, which then is
// as well, only tells whether anything was missed.
func (l *Publisher) parseCursor(text string, tail feed.Vector) (feed.Cursor, error) {
	c, err := feed.OpenCursor(text, l.keys)
	now := time.Now()
	limit := now
	for _, id := range tail {
		limit = delivery.Later(limit, delivery.IDTime(delivery.LogID(id)))
	}
	limit = limit.Add(cursorSkew)
	valid := err == nil
	if c.At.After(limit) {
		c.At = now
	}
	for slot, id := range c.Seen {
		valid = valid && delivery.IDSlot(delivery.LogID(id)) == slot &&
			!delivery.IDTime(delivery.LogID(id)).After(limit)
	}
	if !valid {
		return feed.Cursor{}, delivery.Errorf(delivery.Invalid, "after",
			"This is not a cursor of the delivery log. Use the cursor of an item that it sent, or none to start now.")
	}
	return c, nil
}

// gapAfter returns the gap of a subscriber that has seen everything up to at, or
// nil.
func (l *Publisher) gapAfter(ctx context.Context, at feed.Cursor) (*delivery.LogItem, error) {
	horizon, err := l.store.Horizon(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the start of the log: %w", err)
	}
	if horizon.IsZero() || !at.At.Before(horizon) {
		return nil, nil
	}
	return &delivery.LogItem{
		Cursor: l.text(feed.Cursor{At: horizon, Seen: at.Seen}),
		At:     time.Now().UTC(), Gap: true, MissedSince: at.At,
	}, nil
}

// A subscriber is one call of Watch.
type subscriber struct {
	log   *Publisher
	in    delivery.WatchInput
	match *delivery.EntryFilter
	sub   *feed.Subscription[*delivery.LogEntry]
	out   chan delivery.LogItem
	tail  feed.Vector // what was in the log when the subscriber came
	gap   *delivery.LogItem
}

func (s *subscriber) run(ctx context.Context) {
	defer close(s.out)
	defer s.sub.Close()
	if s.gap != nil && !s.send(ctx, *s.gap) {
		return
	}
	if s.in.After == "" && !s.beat(ctx) {
		return
	}
	quiet := time.NewTicker(heartbeatEvery)
	defer quiet.Stop()
	for due := false; ; {
		changed := s.sub.Changed() // before reading, or an entry could slip in between
		page, err := s.sub.Read(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, feed.ErrStopped):
			return
		case err != nil:
			s.log.log.WarnContext(ctx, "read the log for a subscriber", "err", err)
			if !loop.Sleep(ctx, watchRetry) {
				return
			}
			continue
		case len(page) > 0:
			if !s.sendPage(ctx, page, quiet) {
				return
			}
			continue
		case due && !s.beat(ctx):
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
			due = false
		case <-quiet.C:
			due = true // after a look at what came meanwhile, which it says was seen
		}
	}
}

// beat sends a heartbeat.
func (s *subscriber) beat(ctx context.Context) bool {
	now := time.Now()
	seen := s.sub.Seen()
	return s.send(ctx, delivery.LogItem{
		Cursor: s.log.text(feed.Cursor{At: delivery.Later(seen.At, now), Seen: seen.Seen}), At: now.UTC(),
	})
}

// sendPage sends the entries that the subscriber wants to see.
func (s *subscriber) sendPage(
	ctx context.Context, page []feed.Item[*delivery.LogEntry], quiet *time.Ticker,
) bool {
	wanted, err := s.wanted(ctx, page)
	for err != nil {
		s.log.log.WarnContext(ctx, "read events for a subscriber", "err", err)
		if !loop.Sleep(ctx, watchRetry) {
			return false
		}
		wanted, err = s.wanted(ctx, page)
	}
	for i := range page {
		if wanted != nil && !wanted[i] {
			continue
		}
		e := page[i].Entry
		item := delivery.LogItem{Cursor: page[i].Cursor, At: e.At, Entry: e, Replayed: s.tail.Has(place(e))}
		if !s.send(ctx, item) {
			return false
		}
		quiet.Reset(heartbeatEvery)
	}
	return true
}

// wanted reports for each entry of a page whether its event is wanted, too. It
// is nil, and no event is read, for a filter that asks for nothing but what the
// log has.
func (s *subscriber) wanted(ctx context.Context, page []feed.Item[*delivery.LogEntry]) ([]bool, error) {
	if !s.match.NeedsEvent {
		return nil, nil
	}
	events := make([]delivery.EventID, len(page))
	for i := range page {
		events[i] = page[i].Entry.Delivery.Event
	}
	found, err := s.log.store.EventsByID(ctx, s.in.Org, events)
	if err != nil {
		return nil, err
	}
	passed := make(map[delivery.EventID]bool, len(found))
	for i := range found {
		passed[found[i].ID] = s.match.Event(&found[i])
	}
	wanted := make([]bool, len(page))
	for i, event := range events {
		wanted[i] = passed[event]
	}
	return wanted, nil
}

func (s *subscriber) send(ctx context.Context, item delivery.LogItem) bool {
	select {
	case s.out <- item:
		return true
	case <-ctx.Done():
	case <-s.log.hub.Stopped():
	}
	return false
}

// follow reads the next page of the log.
func (l *Publisher) follow(ctx context.Context, after feed.Vector, limit int) ([]*delivery.LogEntry, error) {
	seen := make(map[int]delivery.LogID, len(after))
	for slot, number := range after {
		seen[slot] = delivery.LogID(number)
	}
	found, err := l.store.Follow(ctx, seen, limit)
	entries := make([]*delivery.LogEntry, len(found))
	for i := range found {
		entries[i] = &found[i]
	}
	return entries, err
}

func toVector(tail map[int]delivery.LogID) feed.Vector {
	v := make(feed.Vector, len(tail))
	for slot, id := range tail {
		v[slot] = int64(id)
	}
	return v
}

// place returns where an entry is in the log.
func place(e *delivery.LogEntry) (slot int, number int64) { return delivery.IDSlot(e.ID), int64(e.ID) }

// sizeOf returns about how much memory an entry takes.
func sizeOf(e *delivery.LogEntry) int {
	size := 512
	if e.Attempt == nil {
		return size
	}
	size += len(e.Attempt.ResponseBody) + len(e.Attempt.Error)
	for _, h := range e.Attempt.ResponseHeaders {
		size += len(h.Name) + len(h.Value) + 64
	}
	return size
}
