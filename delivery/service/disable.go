package service

import (
	"context"
	"time"

	"portalhooks/delivery"
)

// disable disables a webhook on behalf of the system, unless its target
// was changed, when one is given, or it was disabled or deleted.
// What is pending is canceled.
func (s *Service) disable(
	ctx context.Context,
	org delivery.OrgID,
	id delivery.WebhookID,
	reason delivery.DisabledReason,
	target string,
) error {
	const tries = 3
	for try := 1; ; try++ {
		found, err := s.store.WebhooksByID(ctx, org, []delivery.WebhookID{id})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return nil
		}
		w := found[0]
		if w.Status == delivery.Disabled || w.Version.Deleted || target != "" && w.Version.Target != target {
			return nil
		}
		was := w
		s.markDisabled(&w, reason)
		err = s.store.UpdateWebhook(
			ctx, w, was.Version.Number, s.record(delivery.System, delivery.WebhookDisabled, &was, &w),
		)
		if delivery.CodeOf(err) == delivery.Conflict && try < tries {
			continue // it was just changed: read it again
		}
		if err != nil && delivery.CodeOf(err) != delivery.NotFound {
			return err
		}
		break
	}
	s.pipeline.Webhooks.Drop(org)
	s.metrics.Disabled.WithLabelValues(string(reason)).Inc()
	s.log.WarnContext(ctx, "webhook disabled", "webhook", id, "organization", org, "reason", reason)
	s.recall(ctx, id)
	return nil
}

// markDisabled gives w a new version that does not listen.
func (s *Service) markDisabled(w *delivery.Webhook, reason delivery.DisabledReason) {
	now := time.Now().UTC()
	w.Status, w.DisabledReason, w.DisabledAt, w.Holding = delivery.Disabled, reason, now, false
	w.UpdatedAt, w.UpdatedBy = now, delivery.SystemName
	w.Version.ID = delivery.VersionID(s.ids.Next())
	w.Version.Number++
	w.CancelBefore = w.Version.Number
	w.Version.Listening = false
	w.Version.CreatedAt, w.Version.CreatedBy = now, delivery.SystemName
	w.Version.EndedAt = time.Time{}
}
