package service

import (
	"context"
	"fmt"
	"strconv"

	"portalhooks/delivery"
)

// A RedeliverMode says which message is sent again.
type RedeliverMode string

// The modes.
const (
	SameMessage    RedeliverMode = "SAME_MESSAGE"    // from the version that the delivery was made for
	CurrentVersion RedeliverMode = "CURRENT_VERSION" // from the webhook as it is now
)

// Redeliver makes a new delivery for each of the given ones, due at once, and
// returns the new ones in the same order. It makes all or none. The errors are
// NotFound where the caller may not see one, Forbidden where the caller is
// neither an operator nor an admin of its organization, Conflict where a
// webhook is disabled or deleted, and LimitExceeded for more than 100.
func (s *Service) Redeliver(
	ctx context.Context, c delivery.Caller, ids []delivery.DeliveryID, m RedeliverMode,
) ([]*delivery.Delivery, error) {
	if err := checkRedelivery(ids, m); err != nil {
		return nil, err
	}
	old, err := s.DeliveriesByID(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	webhooks, err := s.webhooksOf(ctx, c, old)
	if err != nil {
		return nil, err
	}
	events, err := s.eventsOf(ctx, c, old)
	if err != nil {
		return nil, err
	}
	made, result := make([]delivery.Delivery, len(old)), make([]*delivery.Delivery, len(old))
	for i, d := range old {
		field := "ids." + strconv.Itoa(i)
		if d == nil {
			return nil, delivery.Errorf(delivery.NotFound, field, "There is no such delivery, or you may not see it.")
		}
		if err := c.CheckRedeliver(d.Org); err != nil {
			return nil, err
		}
		if err := redeliverable(field, webhooks[d.Webhook], events[d.Event]); err != nil {
			return nil, err
		}
		made[i] = s.again(d, webhooks[d.Webhook], m)
		result[i] = &made[i]
	}
	if err := s.store.Requeue(ctx, made, s.recordRedeliveries(c, m, made, webhooks)); err != nil {
		return nil, fmt.Errorf("queue deliveries again: %w", err)
	}
	s.pipeline.Dispatcher.Wake()
	return result, nil
}

func checkRedelivery(ids []delivery.DeliveryID, m RedeliverMode) error {
	switch {
	case len(ids) == 0:
		return delivery.Errorf(delivery.Required, "ids", "Name at least one delivery to send again.")
	case len(ids) > maxIDs:
		return delivery.Errorf(
			delivery.LimitExceeded, "ids", "At most %d deliveries can be sent again at once.", maxIDs,
		)
	case m != SameMessage && m != CurrentVersion:
		return delivery.Errorf(delivery.Invalid, "mode", "Choose %s or %s.", SameMessage, CurrentVersion)
	}
	seen := make(map[delivery.DeliveryID]bool, len(ids))
	for i, id := range ids {
		if seen[id] {
			return delivery.Errorf(
				delivery.Invalid, "ids."+strconv.Itoa(i), "This delivery is in the list twice. Name it once.",
			)
		}
		seen[id] = true
	}
	return nil
}

// redeliverable refuses what could not arrive.
func redeliverable(field string, w *delivery.Webhook, e *delivery.Event) error {
	switch {
	case w == nil || w.Version.Deleted:
		return delivery.Errorf(
			delivery.Conflict, field, "The webhook of this delivery was deleted, so nothing can be sent to it.",
		)
	case w.Status != delivery.Enabled:
		return delivery.Errorf(
			delivery.Conflict, field, "The webhook %q is disabled. Enable it, then send again.", w.Name,
		)
	case e == nil:
		return delivery.Errorf(delivery.Conflict, field,
			"The event of this delivery is no longer kept, so its message can't be made again.")
	}
	return nil
}

// again returns a new delivery of what d delivers.
func (s *Service) again(d *delivery.Delivery, w *delivery.Webhook, m RedeliverMode) delivery.Delivery {
	made := delivery.Delivery{
		ID: delivery.DeliveryID(s.ids.Next()), Org: d.Org, Webhook: d.Webhook, Version: d.Version, Event: d.Event,
		Type: d.Type, Item: d.Item, Trigger: delivery.ByRedelivery, RedeliveryOf: d.ID, State: delivery.Queued,
		Ordered: w.Version.Policy.Ordered,
	}
	if m == CurrentVersion {
		made.Version = w.Version.ID
	}
	made.NextAttemptAt = made.CreatedAt()
	return made
}

// recordRedeliveries makes one record for each webhook.
func (s *Service) recordRedeliveries(
	c delivery.Caller,
	m RedeliverMode,
	made []delivery.Delivery,
	webhooks map[delivery.WebhookID]*delivery.Webhook,
) []delivery.AuditEntry {
	repeated := make(map[delivery.WebhookID][]string)
	var order []delivery.WebhookID
	for i := range made {
		id := made[i].Webhook
		if repeated[id] == nil {
			order = append(order, id)
		}
		repeated[id] = append(repeated[id], made[i].RedeliveryOf.String())
	}
	records := make([]delivery.AuditEntry, len(order))
	for i, id := range order {
		w := webhooks[id]
		changes := differences(nil, traits{
			{field: "deliveries", value: repeated[id]}, {field: "message", value: m},
		})
		records[i] = entry(s.ids, c, w.Org, delivery.DeliveriesRepeated, webhookObject(w), changes)
	}
	return records
}
