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
// was kept back or, with DropHeld, cancels it. It returns Conflict when
// the webhook was changed since ExpectedVersion.
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
		updated, err := s.setStatus(ctx, c, w, in)
		if delivery.CodeOf(err) == delivery.Conflict && in.ExpectedVersion == 0 && try < tries {
			continue
		}
		if err != nil {
			return nil, err
		}
		u := &UpdatedWebhook{Webhook: updated}
		if updated.Status == delivery.Enabled {
			u.Warnings = s.overlapWarnings(ctx, updated)
		}
		return u, nil
	}
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

// setStatus gives w its new status and sees to its pending deliveries.
func (s *Service) setStatus(
	ctx context.Context, c delivery.Caller, w *delivery.Webhook, in SetStatusInput,
) (*delivery.Webhook, error) {
	waiting, err := s.store.Pending(ctx, []delivery.WebhookID{w.ID}, 1)
	if err != nil {
		return nil, err
	}
	held := waiting[w.ID].Held
	if in.Status == delivery.Enabled && in.DropHeld && held > 0 && w.Status == delivery.Disabled {
		// Before the webhook sends again, so that no new event is canceled.
		dropped := entry(s.ids, c, w.Org, delivery.DeliveriesCanceled, webhookObject(w), nil)
		if err := s.store.Record(ctx, dropped); err != nil {
			return nil, err
		}
		s.recall(ctx, w.ID, true, true)
	}
	if w.Status == in.Status && w.Holding == in.Hold {
		if w.Status == delivery.Enabled && held > 0 {
			s.recall(ctx, w.ID, false, true)
		}
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
	if err := s.update(ctx, updated, w.Version.Number, s.record(c, in.action(w), w, &updated)); err != nil {
		return nil, err
	}
	switch {
	case in.Status == delivery.Enabled:
		s.recall(ctx, w.ID, false, true)
	case in.Hold:
		s.recall(ctx, w.ID, false, false) // the dispatcher holds what is due
	default:
		s.recall(ctx, w.ID, true, true)
	}
	return &updated, nil
}
