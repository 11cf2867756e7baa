package service

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"portalhooks/delivery"
)

// heartbeatPause is the time between two renewals of the lease of the slot.
const heartbeatPause = delivery.SlotTTL / 3

// errSlotLost ends Run: another server may hold the slot now.
var errSlotLost = errors.New("this server was silent for so long that others took over its deliveries")

// A slotLease knows how long ago this server renewed the lease of its slot.
type slotLease struct {
	began  time.Time
	beat   atomic.Int64 // when the lease was renewed last, by since; 0 before
	missed atomic.Int64 // when a renewal failed last, by since; 0 for never
}

// since returns a time as a number that grows steadily and is never 0.
func (l *slotLease) since(t time.Time) int64 { return int64(t.Sub(l.began)) + 1 }

// silent reports whether the lease was not renewed for so long that other
// servers may have taken over what this one holds.
func (l *slotLease) silent() bool {
	beat := l.beat.Load()
	return beat > 0 && l.since(time.Now())-beat > int64(delivery.SlotTTL)
}

// unsteady reports whether a renewal failed lately. The database was away then,
// perhaps for all servers, and a server that could not renew its lease must not
// be declared dead.
func (l *slotLease) unsteady() bool {
	missed := l.missed.Load()
	return l.silent() || missed > 0 && l.since(time.Now())-missed < int64(delivery.SlotTTL)
}

// heartbeat renews the lease of this server's slot until ctx ends. It returns
// errSlotLost when the slot is, or may be, another server's.
func (s *Service) heartbeat(ctx context.Context) error {
	tick := time.NewTicker(heartbeatPause)
	defer tick.Stop()
	l := &s.lease
	l.beat.Store(l.since(time.Now()))
	defer l.beat.Store(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		began := time.Now()
		beat, cancel := context.WithTimeout(ctx, heartbeatPause)
		err := s.store.Heartbeat(beat, s.opts.Owner, delivery.SlotTTL)
		cancel()
		switch {
		case err == nil:
			l.beat.Store(l.since(began))
		case delivery.CodeOf(err) == delivery.NotFound:
			return errSlotLost
		case ctx.Err() == nil:
			l.missed.Store(l.since(time.Now()))
			// If the database is away for all servers, the slot is still this one's
			// when it comes back. Until then nothing new is sent.
			s.metrics.Failed("heartbeat")
			s.log.WarnContext(ctx, "renew the lease of the slot", "err", err)
		}
	}
}

// takeOver makes the deliveries due that an earlier server in this slot held, and lets
// new ids follow that server's, even if the clock was set back.
func (s *Service) takeOver(ctx context.Context) error {
	released, err := s.store.Release(ctx, s.opts.Owner, nil, 0)
	if err != nil {
		return fmt.Errorf("take over the deliveries of this slot: %w", err)
	}
	if released > 0 {
		s.log.InfoContext(ctx, "took over deliveries of a server that has ended", "count", released)
	}
	tail, err := s.store.Tail(ctx)
	if err != nil {
		return fmt.Errorf("find the end of the log: %w", err)
	}
	s.ids.Follow(int64(tail[s.opts.Owner.Slot]))
	return nil
}

// leave requeues everything that this server still holds, and releases its
// slot.
func (s *Service) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	_, err := s.store.Release(ctx, s.opts.Owner, nil, 0)
	return errors.Join(err, s.store.Leave(ctx, s.opts.Owner))
}
