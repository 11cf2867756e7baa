package pipeline

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/loop"
)

const (
	healthPause = 10 * time.Second // between writes, while no target begins or ceases to fail
	healthFlush = 5 * time.Second  // for the last write
)

// HealthKnown bounds the webhooks whose latest attempt is remembered.
const HealthKnown = 10_000

// Health gathers what attempts show about webhooks' targets. It writes at once
// when a target begins or ceases to fail, and otherwise at most every
// healthPause. It also reports the webhooks whose receiver is gone.
type Health struct {
	store   healthStore
	metrics *Metrics
	log     *slog.Logger

	// Gone is told of a webhook whose target answered 410, again until it
	// returns no error.
	Gone func(ctx context.Context, org delivery.OrgID, id delivery.WebhookID, target string) error

	wake loop.Wake

	mu          sync.Mutex
	pending     map[delivery.WebhookID]delivery.WebhookHealth
	failing     map[delivery.WebhookID]bool // whether the latest attempt failed, for webhooks seen lately
	pendingGone map[delivery.WebhookID]goneTarget
}

// A goneTarget is a webhook's target that answered 410.
type goneTarget struct {
	org delivery.OrgID
	url string
}

// A healthStore is the part of the Store that Health writes to.
type healthStore interface {
	RecordHealth(ctx context.Context, h []delivery.WebhookHealth) error
}

func newHealth(store healthStore, m *Metrics, log *slog.Logger) *Health {
	return &Health{
		store: store, metrics: m, log: log, wake: loop.NewWake(),
		pending:     make(map[delivery.WebhookID]delivery.WebhookHealth),
		failing:     make(map[delivery.WebhookID]bool),
		pendingGone: make(map[delivery.WebhookID]goneTarget),
	}
}

// Observe records results that are settled.
func (h *Health) Observe(settled []Settled) {
	h.mu.Lock()
	defer h.mu.Unlock()
	urgent := false
	for i := range settled {
		s := &settled[i]
		a, d := s.Entry.Attempt, &s.Entry.Delivery
		if !s.OK || a == nil || a.Outcome == egress.Canceled || d.Trigger == delivery.ByTest {
			continue
		}
		urgent = h.note(d.Webhook, a) || urgent
		if s.Result != nil && s.Result.Gone {
			h.pendingGone[d.Webhook] = goneTarget{org: d.Org, url: s.Result.Target}
			urgent = true
		}
	}
	if urgent {
		h.wake.Notify()
	}
}

// note records one attempt and reports whether it is the first one that is
// remembered, or the target begins or ceases to fail.
func (h *Health) note(id delivery.WebhookID, a *delivery.Attempt) bool {
	now := h.pending[id]
	now.Webhook = id
	at, failed := a.StartedAt.Add(a.Duration), a.Outcome != egress.Success
	if failed {
		now.LastFailureAt = delivery.Later(now.LastFailureAt, at)
	} else {
		now.LastSuccessAt = delivery.Later(now.LastSuccessAt, at)
	}
	h.pending[id] = now
	before, known := h.failing[id]
	if !known && len(h.failing) >= HealthKnown {
		clear(h.failing) // costs some early writes, and keeps memory bounded
	}
	h.failing[id] = failed
	return !known || before != failed
}

// Run writes what is observed until ctx ends, and once more then.
func (h *Health) Run(ctx context.Context) error {
	tick := time.NewTicker(healthPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthFlush)
			defer cancel()
			h.write(last)
			return nil
		case <-h.wake:
		case <-tick.C:
		}
		h.write(ctx)
		// Receivers that fail now and then must not cause a write each time.
		if !loop.Sleep(ctx, time.Second) {
			continue
		}
	}
}

// write stores what is pending, or keeps it for the next time.
func (h *Health) write(ctx context.Context) {
	h.mu.Lock()
	pending, gone := h.pending, h.pendingGone
	h.pending, h.pendingGone = make(
		map[delivery.WebhookID]delivery.WebhookHealth,
	), make(
		map[delivery.WebhookID]goneTarget,
	)
	h.mu.Unlock()

	list := make([]delivery.WebhookHealth, 0, len(pending))
	for _, one := range pending {
		list = append(list, one)
	}
	if len(list) > 0 {
		if err := h.store.RecordHealth(ctx, list); err != nil {
			h.metrics.Failed("health")
			h.log.WarnContext(ctx, "record the health of webhooks", "err", err)
			h.keep(pending)
		}
	}
	for id, target := range gone {
		if err := h.Gone(ctx, target.org, id, target.url); err != nil {
			h.metrics.Failed("health")
			h.log.WarnContext(ctx, "disable a webhook whose receiver is gone", "webhook", id, "err", err)
			h.mu.Lock()
			h.pendingGone[id] = target
			h.mu.Unlock()
		}
	}
}

// keep puts back what could not be written.
func (h *Health) keep(old map[delivery.WebhookID]delivery.WebhookHealth) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, was := range old {
		now := h.pending[id]
		now.Webhook = id
		now.LastFailureAt = delivery.Later(now.LastFailureAt, was.LastFailureAt)
		now.LastSuccessAt = delivery.Later(now.LastSuccessAt, was.LastSuccessAt)
		h.pending[id] = now
	}
}

// usage returns how many webhooks are remembered, and how many of them are still
// to be written.
func (h *Health) usage() (known, unwritten int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.failing), len(h.pending) + len(h.pendingGone)
}
