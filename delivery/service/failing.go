package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portalhooks/delivery"
)

// checkFailing gives notice of webhooks that have only failed for half of the limit,
// and disables webhooks that have only failed for all of it and still do two fifths
// of it after the notice. What counts is the time between failures: a webhook that
// has failed once and got no event since stays enabled.
func (s *Service) checkFailing(ctx context.Context) error {
	now := delivery.Now()
	half := s.opts.FailingLimit / 2
	webhooks, err := s.store.FailingWebhooks(ctx, now.Add(-half))
	if err != nil || len(webhooks) == 0 {
		return err
	}
	ids := make([]delivery.WebhookID, len(webhooks))
	for i, w := range webhooks {
		ids[i] = w.ID
	}
	all, err := s.store.Health(ctx, ids)
	if err != nil {
		return fmt.Errorf("read the health of failing webhooks: %w", err)
	}
	health := make(map[delivery.WebhookID]delivery.WebhookHealth, len(all))
	for _, h := range all {
		health[h.Webhook] = h
	}
	var failed error
	for i := range webhooks {
		w := &webhooks[i]
		h := health[w.ID]
		since := failingPeriod(w, h)
		switch {
		case h.FailingSince.IsZero() || h.LastFailureAt.Sub(since) < half:
		case h.NoticedAt.Before(since):
			failed = errors.Join(failed, s.notice(ctx, w, h, now))
		case !h.LastFailureAt.Before(s.disablesAt(w, h, now)):
			failed = errors.Join(failed, s.disable(ctx, w.Org, w.ID, delivery.DisabledAsFailing, ""))
		}
	}
	return failed
}

// failingPeriod returns since when a failing webhook counts as failing: changing
// or enabling it starts the period again.
func failingPeriod(w *delivery.Webhook, h delivery.WebhookHealth) time.Time {
	return delivery.Later(h.FailingSince, w.Version.CreatedAt)
}

// disablesAt returns from when a failure of w will disable it if nothing but
// failures comes before; zero unless it is enabled and fails.
func (s *Service) disablesAt(w *delivery.Webhook, h delivery.WebhookHealth, now time.Time) time.Time {
	if w.Status != delivery.Enabled || w.Version.Deleted || h.FailingSince.IsZero() {
		return time.Time{}
	}
	since, noticed := failingPeriod(w, h), h.NoticedAt
	if noticed.Before(since) {
		noticed = now
	}
	return delivery.Later(since.Add(s.opts.FailingLimit), noticed.Add(s.opts.FailingLimit*2/5))
}

// notice tells those concerned, once in a period of failures, that w will be
// disabled.
func (s *Service) notice(
	ctx context.Context, w *delivery.Webhook, h delivery.WebhookHealth, now time.Time,
) error {
	disables := s.disablesAt(w, h, now)
	record := entry(
		s.ids,
		delivery.System,
		w.Org,
		delivery.WebhookFailing,
		webhookObject(w),
		differences(nil, traits{
			{field: "failingSince", value: delivery.FormatTime(h.FailingSince)},
			{field: "disablesAt", value: delivery.FormatTime(disables)},
		}),
	)
	noticed, err := s.store.NoticeFailing(ctx, w.Org, w.ID, failingPeriod(w, h), now, record)
	if err != nil || !noticed {
		return err
	}
	s.metrics.Noticed.Inc()
	s.log.WarnContext(ctx, "webhook keeps failing and will be disabled", "webhook", w.ID,
		"organization", w.Org, "failing_since", h.FailingSince, "disables_at", disables)
	return nil
}
