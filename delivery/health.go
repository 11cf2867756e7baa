package delivery

import (
	"context"
	"sync"
	"time"

	"portalhooks/delivery/egress"
)

// bySystem is who changes a webhook when no person does.
const bySystem = "Portalhooks"

const (
	healthPause = 10 * time.Second // between writes, when nothing has changed its mind
	healthKnown = 10_000           // webhooks whose latest verdict is remembered
)

// A health gathers what attempts show about webhooks' targets. It writes at
// once when a target begins or ceases to fail, and otherwise at most every
// healthPause. It also disables the webhooks whose receiver is gone.
type health struct {
	s    *Service
	wake chan struct{} // holds one wake-up

	mu      sync.Mutex
	pending map[WebhookID]WebhookHealth
	failing map[WebhookID]bool // the latest verdict, for webhooks seen lately
	gone    map[WebhookID]goneTarget
}

// A goneTarget is a webhook's target that answered 410.
type goneTarget struct {
	org OrgID
	url string
}

func newHealth(s *Service) *health {
	return &health{
		s: s, wake: make(chan struct{}, 1),
		pending: make(map[WebhookID]WebhookHealth),
		failing: make(map[WebhookID]bool),
		gone:    make(map[WebhookID]goneTarget),
	}
}

// observe takes note of results that were stored.
func (h *health) observe(results []settling, oks []bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	urgent := false
	for i := range results {
		item := &results[i]
		a, d := item.Entry.Attempt, item.Entry.Delivery
		if !oks[i] || a == nil || a.Outcome == egress.Canceled || d.Trigger == ByTest {
			continue
		}
		urgent = h.note(d.Webhook, a) || urgent
		if item.gone != "" {
			h.gone[d.Webhook] = goneTarget{org: d.Org, url: item.gone}
			urgent = true
		}
	}
	if urgent {
		h.hurry()
	}
}

// note records one attempt and reports whether it is the first one that is
// remembered, or the target has changed its mind.
func (h *health) note(id WebhookID, a *Attempt) bool {
	now := h.pending[id]
	now.Webhook = id
	at, failed := a.StartedAt.Add(a.Duration), a.Outcome != egress.Success
	if failed {
		now.LastFailureAt = later(now.LastFailureAt, at)
	} else {
		now.LastSuccessAt = later(now.LastSuccessAt, at)
	}
	h.pending[id] = now
	before, known := h.failing[id]
	if !known && len(h.failing) >= healthKnown {
		clear(h.failing) // costs some early writes, and keeps memory bounded
	}
	h.failing[id] = failed
	return !known || before != failed
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (h *health) hurry() {
	select {
	case h.wake <- struct{}{}:
	default: // one is waiting already
	}
}

// Run writes what is observed until ctx ends, and once more then.
func (h *health) Run(ctx context.Context) error {
	tick := time.NewTicker(healthPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
			defer cancel()
			h.write(last)
			return nil
		case <-h.wake:
		case <-tick.C:
		}
		h.write(ctx)
		// Receivers that can't make up their mind must not cause a write each
		// time.
		if !sleep(ctx, time.Second) {
			continue
		}
	}
}

// write stores what is pending, or keeps it for the next time.
func (h *health) write(ctx context.Context) {
	h.mu.Lock()
	pending, gone := h.pending, h.gone
	h.pending, h.gone = make(map[WebhookID]WebhookHealth), make(map[WebhookID]goneTarget)
	h.mu.Unlock()

	list := make([]WebhookHealth, 0, len(pending))
	for _, one := range pending {
		list = append(list, one)
	}
	if len(list) > 0 {
		if err := h.s.store.RecordHealth(ctx, list); err != nil {
			h.s.metrics.failed("health")
			h.s.log.WarnContext(ctx, "record the health of webhooks", "err", err)
			h.keep(pending)
		}
	}
	for id, target := range gone {
		if err := h.s.disable(ctx, target.org, id, DisabledAsGone, target.url); err != nil {
			h.s.metrics.failed("health")
			h.s.log.WarnContext(ctx, "disable a webhook whose receiver is gone", "webhook", id, "err", err)
			h.mu.Lock()
			h.gone[id] = target
			h.mu.Unlock()
		}
	}
}

// keep puts back what could not be written.
func (h *health) keep(old map[WebhookID]WebhookHealth) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, was := range old {
		now := h.pending[id]
		now.Webhook = id
		now.LastFailureAt = later(now.LastFailureAt, was.LastFailureAt)
		now.LastSuccessAt = later(now.LastSuccessAt, was.LastSuccessAt)
		h.pending[id] = now
	}
}

// disable disables a webhook on the system's behalf, unless somebody has
// changed its target, when one is given, disabled it or deleted it meanwhile.
// What is pending is canceled.
func (s *Service) disable(
	ctx context.Context, org OrgID, id WebhookID, reason DisabledReason, target string,
) error {
	const tries = 3
	for try := 1; ; try++ {
		found, err := s.store.WebhooksByID(ctx, org, []WebhookID{id})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return nil
		}
		w := found[0]
		if w.Status == Disabled || w.Version.Deleted || target != "" && w.Version.Target != target {
			return nil
		}
		was := w
		s.markDisabled(&w, reason)
		err = s.store.UpdateWebhook(ctx, w, was.Version.Number, s.record(system, WebhookDisabled, &was, &w))
		if CodeOf(err) == Conflict && try < tries {
			continue // somebody has just changed it: look again
		}
		if err != nil && CodeOf(err) != NotFound {
			return err
		}
		break
	}
	s.configs.drop(org)
	s.metrics.disabled.WithLabelValues(string(reason)).Inc()
	s.log.WarnContext(ctx, "webhook disabled", "webhook", id, "organization", org, "reason", reason)
	s.recall(ctx, id, false, false)
	return nil
}

// markDisabled gives w a new version that does not listen.
func (s *Service) markDisabled(w *Webhook, reason DisabledReason) {
	now := time.Now().UTC()
	w.Status, w.DisabledReason, w.DisabledAt, w.Holding = Disabled, reason, now, false
	w.UpdatedAt, w.UpdatedBy = now, bySystem
	w.Version.ID = VersionID(s.ids.Next())
	w.Version.Number++
	w.Version.Listening = false
	w.Version.CreatedAt, w.Version.CreatedBy = now, bySystem
	w.Version.EndedAt = time.Time{}
}

// recall makes the dispatchers look at a webhook's pending deliveries again:
// with cancel to cancel them, with held also at those kept back.
func (s *Service) recall(ctx context.Context, id WebhookID, cancel, held bool) {
	// The change that calls for it is made: it must not depend on the caller's
	// patience.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer stop()
	if _, err := s.store.Recall(ctx, id, cancel, held); err != nil {
		s.metrics.failed("recall")
		s.log.WarnContext(ctx, "recall a webhook's deliveries", "webhook", id, "err", err)
	}
	s.dispatcher.router.revise(id)
	s.dispatcher.Wake()
}
