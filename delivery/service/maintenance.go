package service

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"portalhooks/delivery"
	"portalhooks/delivery/loop"
)

const (
	// reapPause is short: where the store can tell that a server has died, it is
	// asked often.
	reapPause    = 500 * time.Millisecond
	clockPause   = time.Second
	depthPause   = 5 * time.Second
	preparePause = time.Hour
	discardPause = 10 * time.Minute
	failingPause = 10 * time.Minute
	secretsPause = time.Hour
	sessionPause = 10 * time.Minute
	recallPause  = 10 * time.Second

	// discardRest lets others write between two portions of what is discarded.
	discardRest = 10 * time.Millisecond
)

// A task is maintenance that is done at the start and then again and again.
type task struct {
	name  string
	pause time.Duration
	do    func(ctx context.Context) error
}

// maintain runs the maintenance until ctx ends. Errors are logged: each task is
// done again.
func (s *Service) maintain(ctx context.Context) error {
	tasks := []task{
		{name: "reap", pause: reapPause, do: s.reap},
		{name: "clock", pause: clockPause, do: s.followClock},
		{name: "depth", pause: depthPause, do: s.measure},
		s.byLeader(task{name: "recall", pause: recallPause, do: s.findUnrecalled}),
		s.byLeader(task{name: "prepare", pause: preparePause, do: s.prepare}),
		s.byLeader(task{name: "discard", pause: discardPause, do: s.discard}),
		s.byLeader(task{name: "discard audit", pause: discardPause, do: s.discardAudit}),
		s.byLeader(task{name: "failing", pause: failingPause, do: s.checkFailing}),
		s.byLeader(task{name: "secrets", pause: secretsPause, do: s.dropSecrets}),
		s.byLeader(task{name: "sessions", pause: sessionPause, do: s.dropSessions}),
	}
	var group errgroup.Group
	for _, t := range tasks {
		group.Go(func() error {
			for {
				if err := t.do(ctx); err != nil && ctx.Err() == nil {
					s.metrics.Failed(t.name)
					s.log.WarnContext(ctx, "maintenance", "task", t.name, "err", err)
				}
				if !loop.Sleep(ctx, t.pause) {
					return nil
				}
			}
		})
	}
	return group.Wait()
}

// reap releases what dead servers held.
func (s *Service) reap(ctx context.Context) error {
	released, err := s.store.Reap(ctx, s.opts.Owner, !s.unsteady())
	if released > 0 {
		s.log.InfoContext(ctx, "took over deliveries of a server that has ended", "count", released)
		s.pipeline.Dispatcher.Wake()
	}
	return err
}

// followClock moves the queue with the database's clock. It is no part of the
// heartbeat, which must not wait for a long queue.
func (s *Service) followClock(ctx context.Context) error {
	for {
		more, err := s.store.FollowClock(ctx, s.opts.Owner)
		if err != nil || !more {
			return err
		}
		if !loop.Sleep(ctx, discardRest) {
			return nil
		}
	}
}

// measure shows the depth of the queue and other gauges.
func (s *Service) measure(ctx context.Context) error {
	s.pipeline.Dispatcher.CountBreakers()
	s.metrics.Subscribers.Set(float64(s.pipeline.Publisher.Subscribers()))
	depth, err := s.store.Depth(ctx)
	if err != nil {
		return err
	}
	s.metrics.Queue(depth, time.Now())
	oldest, err := s.store.OldestTransaction(ctx)
	if err != nil {
		return err
	}
	s.metrics.OldestTransaction.Set(oldest.Seconds())
	return nil
}

func (s *Service) prepare(ctx context.Context) error { return s.store.Prepare(ctx, time.Now().UTC()) }

// discard removes what is older than the retention, and counts that no window
// reaches back to.
func (s *Service) discard(ctx context.Context) error {
	now := time.Now().UTC()
	return errors.Join(
		inPortions(ctx, now.Add(-s.opts.Retention), s.store.Discard),
		inPortions(ctx, now.Add(-countsKept), s.store.DiscardCounts),
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
		if !loop.Sleep(ctx, discardRest) {
			return nil
		}
	}
}

// dropSessions removes the sessions that are over.
func (s *Service) dropSessions(ctx context.Context) error {
	return inPortions(ctx, time.Now().UTC().Add(-delivery.SessionIdle), s.store.DiscardSessions)
}
