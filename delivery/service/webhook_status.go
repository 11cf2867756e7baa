package service

import (
	"context"
	"time"

	"portalhooks/delivery"
)

// A SetStatusInput enables or disables a webhook.
type SetStatusInput struct {
	ID              delivery.WebhookID
	Status          delivery.WebhookStatus
	Hold            bool // with DISABLED: keep its events back instead of dropping them
	DropHeld        bool // with ENABLED: cancel what was kept back instead of sending it
	ExpectedVersion int  // the version that the caller has seen; 0 for any
}

// checkStatusChange refuses a caller who may not give w this status. Admins may
// give it any. Operators may hold a webhook that is enabled, and let one go on
// that is held: nothing is lost by either.
func checkStatusChange(c delivery.Caller, w *delivery.Webhook, in SetStatusInput) error {
	holds := in.Status == delivery.Disabled && in.Hold && w.Status == delivery.Enabled
	releases := in.Status == delivery.Enabled && !in.DropHeld && w.Holding
	if c.Operator && (holds || releases) {
		return nil
	}
	return c.CheckConfigure(w.Org)
}

// SetWebhookStatus enables or disables a webhook. Disabling cancels what is
// pending or, with Hold, keeps it and further events back; enabling sends what
// was kept back or, with DropHeld, cancels everything that was pending. The change
// and what it decides are stored when this returns; a large backlog is released or
// canceled in the time after. It returns Conflict when the webhook was changed
// since ExpectedVersion.
func (s *Service) SetWebhookStatus(
	ctx context.Context, c delivery.Caller, in SetStatusInput,
) (*UpdatedWebhook, error) {
	if err := checkStatus(in); err != nil {
		return nil, err
	}
	const tries = 3
	for try := 1; ; try++ {
		w, err := s.webhook(ctx, c, in.ID)
		if err != nil {
			return nil, err
		}
		if err := checkStatusChange(c, w, in); err != nil {
			return nil, err
		}
		if in.ExpectedVersion != 0 && in.ExpectedVersion != w.Version.Number {
			return nil, changed(w.Version.Number)
		}
		canceled := 0
		if in.cancels(w) {
			if canceled, err = s.backlog(ctx, w.ID); err != nil {
				return nil, err
			}
		}
		updated, err := s.setStatus(ctx, c, w, in)
		if delivery.CodeOf(err) == delivery.Conflict && in.ExpectedVersion == 0 && try < tries {
			continue
		}
		if err != nil {
			return nil, err
		}
		u := &UpdatedWebhook{Webhook: updated, Canceled: canceled}
		if updated.Status == delivery.Enabled {
			u.Warnings = s.overlapWarnings(ctx, updated)
		}
		return u, nil
	}
}

// cancels reports whether the change cancels what is pending of w.
func (in SetStatusInput) cancels(w *delivery.Webhook) bool {
	if in.Status == delivery.Disabled && !in.Hold && (w.Status == delivery.Enabled || w.Holding) {
		return true
	}
	return w.Status == delivery.Disabled && in.DropHeld
}

// backlog counts what a webhook has pending, held or not.
func (s *Service) backlog(ctx context.Context, id delivery.WebhookID) (int, error) {
	found, err := s.store.Pending(ctx, []delivery.WebhookID{id}, maxBacklog)
	if err != nil {
		return 0, err
	}
	return min(found[id].Pending+found[id].Held, maxBacklog), nil
}

// action is what the change is called that gives w this status.
func (in SetStatusInput) action(w *delivery.Webhook) delivery.Action {
	switch {
	case in.Hold:
		return delivery.WebhookHeld
	case in.Status == delivery.Disabled:
		return delivery.WebhookDisabled
	case w.Holding && !in.DropHeld:
		return delivery.WebhookReleased
	}
	return delivery.WebhookEnabled
}

func checkStatus(in SetStatusInput) error {
	var c checker
	switch {
	case in.Status != delivery.Enabled && in.Status != delivery.Disabled:
		c.Fail(delivery.Invalid, "status", "The status is ENABLED or DISABLED.")
	case in.Hold && in.Status == delivery.Enabled:
		c.Fail(delivery.Invalid, "hold", "Only a disabled webhook holds its events.")
	case in.DropHeld && in.Status == delivery.Disabled:
		c.Fail(delivery.Invalid, "dropHeld", "Disable the webhook without hold: that drops what was held.")
	}
	if len(c.Errors) > 0 {
		return c.Errors
	}
	return nil
}

// setStatus gives w its new status. What becomes of its pending deliveries is
// decided with it.
func (s *Service) setStatus(
	ctx context.Context, c delivery.Caller, w *delivery.Webhook, in SetStatusInput,
) (*delivery.Webhook, error) {
	if w.Status == in.Status && w.Holding == in.Hold {
		s.recall(ctx, w.ID)
		return w, nil
	}
	updated := *w
	updated.Status, updated.Holding = in.Status, in.Hold
	updated.UpdatedAt, updated.UpdatedBy = delivery.Now(), c.Name
	switch {
	case in.Status == delivery.Enabled:
		updated.DisabledReason, updated.DisabledAt = "", time.Time{}
	case w.Status == delivery.Enabled:
		updated.DisabledReason, updated.DisabledAt = delivery.DisabledByAdmin, updated.UpdatedAt
	}
	s.version(&updated, &draft{Version: w.Version, Headers: storedHeaders(w.Version.Headers)}, c.Name)
	records := []delivery.AuditEntry{s.record(c, in.action(w), w, &updated)}
	if in.DropHeld {
		waiting, err := s.store.Pending(ctx, []delivery.WebhookID{w.ID}, 1)
		if err != nil {
			return nil, err
		}
		if waiting[w.ID] != (delivery.Backlog{}) {
			dropped := entry(s.ids, c, w.Org, delivery.DeliveriesCanceled, webhookObject(w), nil)
			records = append([]delivery.AuditEntry{dropped}, records...)
		}
	}
	if in.DropHeld || in.Status == delivery.Disabled && !in.Hold {
		updated.CancelBefore = updated.Version.Number
	}
	if err := s.update(ctx, updated, w.Version.Number, records...); err != nil {
		return nil, err
	}
	s.recall(ctx, w.ID)
	return &updated, nil
}
