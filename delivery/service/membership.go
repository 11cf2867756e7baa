package service

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/loop"
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

// unsteady reports whether a renewal failed lately, or this server has just
// started. The database was away then, or may have been, perhaps for all servers,
// and a server that could not renew its lease must not be declared dead.
func (l *slotLease) unsteady() bool {
	missed := l.missed.Load()
	return l.silent() || missed > 0 && l.since(time.Now())-missed < int64(delivery.SlotTTL)
}

// unsteady reports whether this server has, or had within SlotTTL, trouble with the
// database: then so may have the others, and none of them, nor a delivery that is
// leased to one, is given up for a lease that has ended.
func (s *Service) unsteady() bool { return s.lease.unsteady() || s.pipeline.Settler.Stuck() }

// heartbeat renews the lease of this server's slot until ctx ends. It returns
// errSlotLost when the slot is, or may be, another server's.
func (s *Service) heartbeat(ctx context.Context) error {
	tick := time.NewTicker(heartbeatPause)
	defer tick.Stop()
	l := &s.lease
	l.beat.Store(l.since(time.Now()))
	l.missed.Store(l.since(time.Now())) // the database may have just come back
	defer l.beat.Store(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		began := time.Now()
		beat, cancel := context.WithTimeout(ctx, heartbeatPause)
		err := s.store.Heartbeat(beat, s.opts.Owner, delivery.SlotTTL, !s.unsteady())
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

// takeOver makes the deliveries due that an earlier server in this slot held, and
// lets new ids follow that server's, even if the clock was set back. It waits for a
// database that can't do that now, such as one whose disk is full, until ctx ends.
func (s *Service) takeOver(ctx context.Context) error {
	pause := loop.Backoff{Min: 100 * time.Millisecond, Max: heartbeatPause}
	for {
		err := s.takeSlotOver(ctx)
		if ctx.Err() != nil {
			return nil // told to stop before it began
		}
		if delivery.CodeOf(err) != delivery.Unavailable {
			return err
		}
		s.metrics.Failed("take over")
		s.log.WarnContext(ctx, "wait for the database before deliveries are sent", "err", err)
		pause.Sleep(ctx) // the condition above looks at ctx
	}
}

func (s *Service) takeSlotOver(ctx context.Context) error {
	released, err := s.store.Release(ctx, s.opts.Owner, nil, 0)
	if err != nil {
		return fmt.Errorf("take over the deliveries of this slot: %w", err)
	}
	if released > 0 {
		s.log.InfoContext(ctx, "took over deliveries of a server that has ended", "count", released)
	}
	latest, err := s.store.LatestID(ctx, s.opts.Owner.Slot, time.Now().Add(-idOverlap))
	if err != nil {
		return fmt.Errorf("find the latest id of this slot: %w", err)
	}
	if at := delivery.IDTime(delivery.LogID(latest)); at.After(time.Now()) {
		// Deliveries of that moment that another server has finished have no id of
		// this slot anywhere.
		latest = int64(delivery.IDAt[delivery.LogID](at.Add(time.Second)))
	}
	s.ids.Follow(latest)
	return nil
}

// idOverlap is how far before the clock the ids of an earlier run matter: not at
// all, but that clocks may differ by a moment.
const idOverlap = time.Minute

// leave requeues everything that this server still holds, and releases its
// slot.
func (s *Service) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	_, err := s.store.Release(ctx, s.opts.Owner, nil, 0)
	return errors.Join(err, s.store.Leave(ctx, s.opts.Owner))
}
