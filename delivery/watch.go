package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portalhooks/delivery/feed"
)

const (
	heartbeatEvery = 15 * time.Second // of a watcher that sees nothing else
	watchRetry     = time.Second      // after an error of the store
	cursorSkew     = time.Minute      // how far another process's clock may be ahead
)

// WatchInput says what somebody wants to watch.
type WatchInput struct {
	Org    OrgID  // 0 for every organization, operators only
	After  string // a cursor that an earlier item carried; "" for from now on
	Filter DeliveryFilter
}

// A LogItem is one message to a watcher: an entry of the log, a gap, or else a
// heartbeat.
type LogItem struct {
	Cursor      string // watch After it to go on behind this item
	At          time.Time
	Entry       *LogEntry // shared: not to be changed
	Replayed    bool      // the entry is older than this call of Watch
	Gap         bool      // entries since MissedSince are no longer kept
	MissedSince time.Time
}

// Watch follows the delivery log: first what came after the cursor, then what
// comes, each entry once, in the order of the cursors. It sends a heartbeat
// when there was nothing else for 15 seconds, and first of all to a watcher
// without a cursor, who could not go on without a gap if it were cut off before
// the first entry. The channel has no buffer and is closed when ctx ends or the
// service stops. The errors are those of Deliveries, and Invalid for a cursor
// that is none.
func (s *Service) Watch(ctx context.Context, c Caller, in WatchInput) (<-chan LogItem, error) {
	if err := checkWatch(c, in.Org); err != nil {
		return nil, err
	}
	tail, err := s.feed.Tail(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the log: %w", err)
	}
	w := &watcher{
		s: s, in: in, tail: tail, out: make(chan LogItem), match: newEntryFilter(in.Org, in.Filter),
	}
	from := feed.Cursor{At: time.Now(), Seen: tail}
	if in.After != "" {
		if from, err = parseLogCursor(in.After); err != nil {
			return nil, err
		}
		if w.gap, err = s.gapAfter(ctx, from); err != nil {
			return nil, err
		}
	}
	w.sub = s.feed.Subscribe(from, feed.Interest[*LogEntry]{Key: w.match.key(), Wants: w.match.entry})
	go w.run(ctx)
	return w.out, nil
}

// parseLogCursor reads a cursor and refuses one that no log of ours could have
// given out.
func parseLogCursor(text string) (feed.Cursor, error) {
	c, err := feed.ParseCursor(text)
	limit := time.Now().Add(cursorSkew)
	valid := err == nil && !c.At.After(limit)
	for slot, id := range c.Seen {
		valid = valid && IDSlot(LogID(id)) == slot && !IDTime(LogID(id)).After(limit)
	}
	if !valid {
		return feed.Cursor{}, Errorf(Invalid, "after",
			"This is not a cursor of the live log. Use the cursor of an item that it sent, or none to start now.")
	}
	return c, nil
}

// gapAfter returns the gap that a watcher has who has seen everything up to at,
// or nil.
func (s *Service) gapAfter(ctx context.Context, at feed.Cursor) (*LogItem, error) {
	horizon, err := s.store.Horizon(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the start of the log: %w", err)
	}
	if horizon.IsZero() || !at.At.Before(horizon) {
		return nil, nil
	}
	return &LogItem{
		Cursor: feed.Cursor{At: horizon, Seen: at.Seen}.String(),
		At:     time.Now().UTC(), Gap: true, MissedSince: at.At,
	}, nil
}

// A watcher is one call of Watch.
type watcher struct {
	s     *Service
	in    WatchInput
	match *entryFilter
	sub   *feed.Subscription[*LogEntry]
	out   chan LogItem
	tail  feed.Vector // what was in the log when the watcher came
	gap   *LogItem
}

func (w *watcher) run(ctx context.Context) {
	defer close(w.out)
	defer w.sub.Close()
	if w.gap != nil && !w.send(ctx, *w.gap) {
		return
	}
	if w.in.After == "" && !w.beat(ctx) {
		return
	}
	quiet := time.NewTicker(heartbeatEvery)
	defer quiet.Stop()
	for due := false; ; {
		changed := w.sub.Changed() // before reading, or an entry could slip in between
		page, err := w.sub.Read(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, feed.ErrStopped):
			return
		case err != nil:
			w.s.log.WarnContext(ctx, "read the log for a watcher", "err", err)
			if !sleep(ctx, watchRetry) {
				return
			}
			continue
		case len(page) > 0:
			if !w.sendPage(ctx, page, quiet) {
				return
			}
			continue
		case due && !w.beat(ctx):
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
func (w *watcher) beat(ctx context.Context) bool {
	now := time.Now()
	seen := w.sub.Seen()
	return w.send(ctx, LogItem{
		Cursor: feed.Cursor{At: later(seen.At, now), Seen: seen.Seen}.String(), At: now.UTC(),
	})
}

// sendPage sends the entries that the watcher wants to see.
func (w *watcher) sendPage(ctx context.Context, page []feed.Item[*LogEntry], quiet *time.Ticker) bool {
	wanted, err := w.wanted(ctx, page)
	for err != nil {
		w.s.log.WarnContext(ctx, "read events for a watcher", "err", err)
		if !sleep(ctx, watchRetry) {
			return false
		}
		wanted, err = w.wanted(ctx, page)
	}
	for i := range page {
		if wanted != nil && !wanted[i] {
			continue
		}
		e := page[i].Entry
		item := LogItem{Cursor: page[i].Cursor, At: e.At, Entry: e, Replayed: w.tail.Has(place(e))}
		if !w.send(ctx, item) {
			return false
		}
		quiet.Reset(heartbeatEvery)
	}
	return true
}

// wanted reports for each entry of a page whether its event is wanted, too. It
// is nil, and no event is read, for a filter that asks for nothing but what the
// log has.
func (w *watcher) wanted(ctx context.Context, page []feed.Item[*LogEntry]) ([]bool, error) {
	if !w.match.needsEvent {
		return nil, nil
	}
	events := make([]EventID, len(page))
	for i := range page {
		events[i] = page[i].Entry.Delivery.Event
	}
	found, err := w.s.store.EventsByID(ctx, w.in.Org, events)
	if err != nil {
		return nil, err
	}
	passed := make(map[EventID]bool, len(found))
	for i := range found {
		passed[found[i].ID] = w.match.event(&found[i])
	}
	wanted := make([]bool, len(page))
	for i, event := range events {
		wanted[i] = passed[event]
	}
	return wanted, nil
}

func (w *watcher) send(ctx context.Context, item LogItem) bool {
	select {
	case w.out <- item:
		return true
	case <-ctx.Done():
	case <-w.s.feed.Stopped():
	}
	return false
}

// newFeed returns the hub of the live log.
func newFeed(s *Service) *feed.Hub[*LogEntry] {
	return feed.New(feed.Log[*LogEntry]{
		Tail: func(ctx context.Context) (feed.Vector, error) {
			tail, err := s.store.Tail(ctx)
			return toVector(tail), err
		},
		Follow: func(ctx context.Context, after feed.Vector, limit int) ([]*LogEntry, error) {
			return follow(ctx, s.store, after, limit)
		},
		Place: place,
		At:    func(e *LogEntry) time.Time { return e.At },
		Size:  sizeOf,
	}, feed.Options{External: s.store.Wake(), Logger: s.log})
}

func follow(ctx context.Context, log Log, after feed.Vector, limit int) ([]*LogEntry, error) {
	seen := make(map[int]LogID, len(after))
	for slot, number := range after {
		seen[slot] = LogID(number)
	}
	found, err := log.Follow(ctx, seen, limit)
	entries := make([]*LogEntry, len(found))
	for i := range found {
		entries[i] = &found[i]
	}
	return entries, err
}

func toVector(tail map[int]LogID) feed.Vector {
	v := make(feed.Vector, len(tail))
	for slot, id := range tail {
		v[slot] = int64(id)
	}
	return v
}

// place returns where an entry is in the log.
func place(e *LogEntry) (slot int, number int64) { return IDSlot(e.ID), int64(e.ID) }

// sizeOf returns about how much memory an entry takes.
func sizeOf(e *LogEntry) int {
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
