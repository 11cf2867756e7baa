package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	heartbeatPause = 2 * time.Second
	// SlotTTL is how long a process may be silent before the others take over
	// what it holds. Whoever calls Membership.Join passes it.
	SlotTTL = 3 * heartbeatPause

	// buryPause is short: where the store can tell that a process has died, it
	// is asked often.
	buryPause    = 500 * time.Millisecond
	depthPause   = 5 * time.Second
	preparePause = time.Hour
	discardPause = 10 * time.Minute
	failingPause = 10 * time.Minute
	secretsPause = time.Hour
	sessionPause = 10 * time.Minute

	// discardRest lets others write between two portions of what is discarded.
	discardRest = 10 * time.Millisecond
)

// errSlotLost ends Run: another process may hold the slot now.
var errSlotLost = errors.New("this process was silent for so long that others took over its deliveries")

// heartbeat keeps this process's slot until ctx ends. It returns errSlotLost
// when the slot is, or may be, another's.
func (s *Service) heartbeat(ctx context.Context) error {
	tick := time.NewTicker(heartbeatPause)
	defer tick.Stop()
	s.beat.Store(s.sinceStart(time.Now()))
	defer s.beat.Store(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		began := time.Now()
		beat, cancel := context.WithTimeout(ctx, heartbeatPause)
		err := s.store.Heartbeat(beat, s.opts.Owner, SlotTTL)
		cancel()
		switch {
		case err == nil:
			s.beat.Store(s.sinceStart(began))
		case CodeOf(err) == NotFound:
			return errSlotLost
		case ctx.Err() == nil:
			s.missed.Store(s.sinceStart(time.Now()))
			// If the database is away for all, the slot is still ours when it
			// comes back. Until then nothing new is sent.
			s.metrics.failed("heartbeat")
			s.log.WarnContext(ctx, "prolong the lease of the slot", "err", err)
		}
	}
}

// sinceStart returns a time as a number that grows steadily and is never 0.
func (s *Service) sinceStart(t time.Time) int64 { return int64(t.Sub(s.started)) + 1 }

// unsteady reports whether a heartbeat of this process was missed lately. The
// database was away then, perhaps for all, and nobody is to be taken for dead
// who could not say that he lives.
func (s *Service) unsteady() bool {
	missed := s.missed.Load()
	return s.silent() || missed > 0 && s.sinceStart(time.Now())-missed < int64(SlotTTL)
}

// silent reports whether this process has not been heard of for so long that
// others may have taken over what it holds.
func (s *Service) silent() bool {
	beat := s.beat.Load()
	return beat > 0 && s.sinceStart(time.Now())-beat > int64(SlotTTL)
}

// takeBack makes what an earlier process in this slot held due again, and lets
// new ids follow those that it gave, even if the clock was set back.
func (s *Service) takeBack(ctx context.Context) error {
	released, err := s.store.Release(ctx, s.opts.Owner, nil, 0)
	if err != nil {
		return fmt.Errorf("take back deliveries of this slot: %w", err)
	}
	if released > 0 {
		s.log.InfoContext(ctx, "took back deliveries of a process that has ended", "count", released)
	}
	tail, err := s.store.Tail(ctx)
	if err != nil {
		return fmt.Errorf("find the end of the log: %w", err)
	}
	s.ids.follow(int64(tail[s.opts.Owner.Slot]))
	return nil
}

// giveBack releases everything that this process still holds, and its slot.
func (s *Service) giveBack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	_, err := s.store.Release(ctx, s.opts.Owner, nil, 0)
	return errors.Join(err, s.store.Leave(ctx, s.opts.Owner))
}

// maintain runs the chores until ctx ends. Their errors are logged: each is
// done again.
func (s *Service) maintain(ctx context.Context) error {
	chores := []chore{
		{name: "bury", pause: buryPause, do: s.bury},
		{name: "depth", pause: depthPause, do: s.measure},
		s.led(chore{name: "prepare", pause: preparePause, do: s.prepare}),
		s.led(chore{name: "discard", pause: discardPause, do: s.discard}),
		s.led(chore{name: "discard audit", pause: discardPause, do: s.discardAudit}),
		s.led(chore{name: "failing", pause: failingPause, do: s.checkFailing}),
		s.led(chore{name: "secrets", pause: secretsPause, do: s.dropSecrets}),
		s.led(chore{name: "sessions", pause: sessionPause, do: s.dropSessions}),
	}
	return runChores(ctx, chores, func(name string, err error) {
		s.metrics.failed(name)
		s.log.WarnContext(ctx, "maintenance", "chore", name, "err", err)
	})
}

// bury releases what dead processes held.
func (s *Service) bury(ctx context.Context) error {
	if s.unsteady() {
		return nil
	}
	released, err := s.store.Bury(ctx, s.opts.Owner)
	if released > 0 {
		s.log.InfoContext(ctx, "took over deliveries of a process that has ended", "count", released)
		s.dispatcher.Wake()
	}
	return err
}

// measure shows the depth of the queue and other gauges.
func (s *Service) measure(ctx context.Context) error {
	s.metrics.breakersAre(s.dispatcher.router.breakers())
	s.metrics.watchers.Set(float64(s.feed.Subscribers()))
	depth, err := s.store.Depth(ctx)
	if err != nil {
		return err
	}
	s.metrics.queue(depth, time.Now())
	oldest, err := s.store.OldestTransaction(ctx)
	if err != nil {
		return err
	}
	s.metrics.oldestTransaction.Set(oldest.Seconds())
	return nil
}

func (s *Service) prepare(ctx context.Context) error { return s.store.Prepare(ctx, time.Now().UTC()) }

// discard removes what is older than the retention, and counts that no window
// reaches back to.
func (s *Service) discard(ctx context.Context) error {
	now := time.Now().UTC()
	return errors.Join(
		inPortions(ctx, now.Add(-s.opts.Retention), s.store.Discard),
		inPortions(ctx, now.Add(-tallyKept), s.store.DiscardTallies),
	)
}

// discardAudit does the same with the audit log.
func (s *Service) discardAudit(ctx context.Context) error {
	return inPortions(ctx, time.Now().UTC().Add(-s.opts.AuditRetention), s.store.DiscardAudit)
}

func inPortions(
	ctx context.Context, before time.Time, discard func(context.Context, time.Time) (more bool, err error),
) error {
	for {
		more, err := discard(ctx, before)
		if err != nil || !more {
			return err
		}
		if !sleep(ctx, discardRest) {
			return nil
		}
	}
}
