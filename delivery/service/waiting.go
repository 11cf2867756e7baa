package service

import (
	"context"
	"fmt"
	"slices"
	"time"

	"portalhooks/delivery"
)

// Waiting returns what each delivery waits for, the zero Waiting for those that
// the caller may not see. Circuit breakers are those of this server.
func (s *Service) Waiting(
	ctx context.Context, c delivery.Caller, deliveries []*delivery.Delivery,
) ([]delivery.Waiting, error) {
	first, err := s.firstInOrder(ctx, c, deliveries)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	limited, err := s.rateLimited(ctx, c, deliveries, now)
	if err != nil {
		return nil, err
	}
	all := make([]delivery.Waiting, len(deliveries))
	for i, d := range deliveries {
		switch {
		case !canSee(c, d) || d.State == delivery.Sending || d.State.Final():
		case d.State == delivery.Held:
			all[i].For = delivery.WaitHeld
		case d.Ordered && first[d.Webhook] != d.ID:
			all[i].For = delivery.WaitOrder
		default:
			all[i] = s.waits(d, now, limited[d.Webhook])
		}
	}
	return all, nil
}

// waits returns what a delivery waits for that is first in line.
func (s *Service) waits(d *delivery.Delivery, now time.Time, limited bool) delivery.Waiting {
	w := delivery.Waiting{Next: d.NextAttemptAt}
	breaker, until := s.pipeline.Dispatcher.Breaker(d.Webhook)
	switch {
	case breaker == delivery.BreakerOpen && until.After(w.Next):
		w.For, w.Next = delivery.WaitBreaker, until
	case w.Next.After(now) && d.Attempts == 0:
		w.For = delivery.WaitBreaker // of another server, too: nothing else puts a first attempt off
	case w.Next.After(now):
		w.For = delivery.WaitSchedule
	case breaker == delivery.BreakerHalfOpen:
		w.For = delivery.WaitBreaker
	case limited:
		w.For = delivery.WaitRateLimit
	}
	return w
}

// firstInOrder returns the oldest pending delivery of each webhook of which one
// of the deliveries is ordered and waits.
func (s *Service) firstInOrder(
	ctx context.Context, c delivery.Caller, deliveries []*delivery.Delivery,
) (map[delivery.WebhookID]delivery.DeliveryID, error) {
	first := map[delivery.WebhookID]delivery.DeliveryID{}
	for _, d := range deliveries {
		if !canSee(c, d) || !d.Ordered || !d.State.Waits() {
			continue
		}
		if _, ok := first[d.Webhook]; ok {
			continue
		}
		oldest, err := s.store.Deliveries(ctx, d.Org, delivery.DeliveryFilter{
			Webhooks: []delivery.WebhookID{d.Webhook},
			States:   []delivery.State{delivery.Queued, delivery.Sending, delivery.Retrying},
		}, delivery.Page{Last: 1})
		if err != nil {
			return nil, fmt.Errorf("find the first delivery of an ordered webhook: %w", err)
		}
		first[d.Webhook] = d.ID // unless another one is there
		if len(oldest.Items) > 0 {
			first[d.Webhook] = oldest.Items[0].ID
		}
	}
	return first, nil
}

// rateLimited reports which webhooks of due deliveries have a rate limit.
func (s *Service) rateLimited(
	ctx context.Context, c delivery.Caller, deliveries []*delivery.Delivery, now time.Time,
) (map[delivery.WebhookID]bool, error) {
	due := slices.DeleteFunc(slices.Clone(deliveries), func(d *delivery.Delivery) bool {
		return d == nil || !d.State.Waits() || d.State == delivery.Sending || d.NextAttemptAt.After(now)
	})
	webhooks, err := s.webhooksOf(ctx, c, due)
	limited := make(map[delivery.WebhookID]bool, len(webhooks))
	for id, w := range webhooks {
		limited[id] = w.Version.Policy.PerMinute > 0
	}
	return limited, err
}

// CanceledBecause returns what canceled each delivery, "" for those that are not
// canceled, that the caller may not see, or of whose webhook the versions of that
// time can't be found among its latest.
//
// It follows from the versions of the webhook: what was pending when one began
// that takes no events was canceled by it, and what was canceled without such a
// version had been held and was dropped.
func (s *Service) CanceledBecause(
	ctx context.Context, c delivery.Caller, deliveries []*delivery.Delivery,
) ([]delivery.CancelReason, error) {
	reasons := make([]delivery.CancelReason, len(deliveries))
	versions := map[delivery.WebhookID]delivery.Slice[delivery.WebhookVersion]{}
	for i, d := range deliveries {
		if !canSee(c, d) || d.State != delivery.Canceled {
			continue
		}
		known, ok := versions[d.Webhook]
		if !ok {
			var err error
			known, err = s.store.Versions(ctx, d.Org, d.Webhook, delivery.Page{First: delivery.MaxPageSize})
			if err != nil {
				return nil, fmt.Errorf("find the versions of a webhook: %w", err)
			}
			versions[d.Webhook] = known
		}
		reasons[i] = canceledBy(d, known)
	}
	return reasons, nil
}

// canceledBy returns which of a webhook's latest versions canceled d.
func canceledBy(d *delivery.Delivery, latest delivery.Slice[delivery.WebhookVersion]) delivery.CancelReason {
	if n := len(latest.Items); n == 0 || latest.HasNext && latest.Items[n-1].CreatedAt.After(d.CreatedAt()) {
		return ""
	}
	for i := range slices.Backward(latest.Items) { // the oldest first
		v := &latest.Items[i]
		switch {
		case v.CreatedAt.After(d.FinishedAt):
		case !v.Listening && (v.EndedAt.IsZero() || v.EndedAt.After(d.CreatedAt())):
			return delivery.WebhookWasDisabled
		case v.Deleted && !v.EndedAt.After(d.FinishedAt):
			return delivery.WebhookWasDeleted
		}
	}
	return delivery.HeldWasDropped
}
