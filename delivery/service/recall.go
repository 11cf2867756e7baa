package service

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/loop"
	"portalhooks/delivery/pipeline"
)

const (
	// recallPortion is how many deliveries one transaction recalls: few enough that
	// others are not kept waiting.
	recallPortion = 2_000
	// recallRest lets others write between two portions.
	recallRest = 5 * time.Millisecond
	// recallPage is how many webhooks the leader looks at in one query.
	recallPage = 500
)

// A recaller brings the pending deliveries of changed webhooks in line with them,
// in portions, those of several webhooks in turn. It forgets them when the server
// ends; what is left is found again by the leader.
type recaller struct {
	queue    recallQueue
	recalled func() // is called after each portion
	metrics  *pipeline.Metrics
	log      *slog.Logger
	wake     loop.Wake

	mu    sync.Mutex
	asked map[delivery.WebhookID]delivery.RecallPosition
}

// A recallQueue is the part of the Store that a recaller needs.
type recallQueue interface {
	Recall(
		ctx context.Context, id delivery.WebhookID, at delivery.RecallPosition, limit int,
	) (delivery.Recalled, error)
}

// ask has a webhook's deliveries recalled from a position on. A recall of the
// webhook that is going on sees every change by itself.
func (r *recaller) ask(id delivery.WebhookID, at delivery.RecallPosition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, asked := r.asked[id]; !asked {
		r.asked[id] = at
	}
	r.wake.Notify()
}

// Run recalls what is asked for until ctx ends.
func (r *recaller) Run(ctx context.Context) error {
	pause := loop.Backoff{Min: recallRest, Max: 5 * time.Second}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		}
		for r.round(ctx, &pause) {
		}
	}
}

// round makes one portion for each webhook, and reports whether any is left.
func (r *recaller) round(ctx context.Context, pause *loop.Backoff) bool {
	r.mu.Lock()
	asked := maps.Clone(r.asked)
	r.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(asked)) {
		got, err := r.queue.Recall(ctx, id, asked[id], recallPortion)
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			r.metrics.Failed("recall")
			r.log.WarnContext(ctx, "recall a webhook's deliveries", "webhook", id, "err", err)
			if !pause.Sleep(ctx) {
				return false
			}
			continue
		}
		pause.Reset()
		r.note(id, got)
		if !loop.Sleep(ctx, recallRest) {
			return false
		}
	}
	return len(asked) > 0
}

// note remembers how far the recall of a webhook has come.
func (r *recaller) note(id delivery.WebhookID, got delivery.Recalled) {
	r.mu.Lock()
	if got.Done {
		delete(r.asked, id)
	} else {
		r.asked[id] = got.Next
	}
	r.mu.Unlock()
	r.recalled()
}

// recall brings the deliveries of a webhook that was changed in line with it. A
// first portion is made at once, so that a small backlog is in line when the
// caller is answered.
func (s *Service) recall(ctx context.Context, id delivery.WebhookID) {
	// The change is stored: what follows must not depend on the caller's patience.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer stop()
	got, err := s.store.Recall(ctx, id, delivery.RecallPosition{}, recallPortion)
	if err != nil {
		s.metrics.Failed("recall")
		s.log.WarnContext(ctx, "recall a webhook's deliveries", "webhook", id, "err", err)
	}
	if err != nil || !got.Done {
		s.recaller.ask(id, got.Next)
	}
	s.pipeline.Dispatcher.Reset(id)
}

// findUnrecalled has the webhooks recalled whose recall has not ended, because a
// server died, and those whose deliveries contradict them, whatever the reason.
func (s *Service) findUnrecalled(ctx context.Context) error {
	for after, more := delivery.WebhookID(0), true; more; more = after != 0 {
		found, next, err := s.store.Unrecalled(ctx, after, recallPage)
		if err != nil {
			return err
		}
		for _, id := range found {
			s.recaller.ask(id, delivery.RecallPosition{})
		}
		after = next
	}
	return nil
}
