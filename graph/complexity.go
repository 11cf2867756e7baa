package graph

import (
	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/service"
	"portalhooks/delivery/template"
	"portalhooks/graph/gen"
)

// complexity returns the complexity of fields: for a list, its maximum length
// times the complexity of an element; for a long text, one for every 4 KiB that it
// may have; for all other fields, the default of one more than their children.
func complexity() gen.ComplexityRoot {
	var c gen.ComplexityRoot
	weighLongFields(&c)
	c.Query.Organizations = func(child int, _ *string, first *int32, _ *string) int {
		return list(child, first, nil)
	}
	c.Query.Nodes = func(child int, ids []string) int { return 1 + len(ids)*child }
	c.Query.Deliveries = func(
		child int, first *int32, _ *string, last *int32, _ *string, _ *gen.DeliveryFilter,
	) int {
		return list(child, first, last)
	}
	c.Organization.Webhooks = func(
		child int, first *int32, _ *string, last *int32, _ *string, _ *gen.WebhookFilter, _ *gen.WebhookOrder,
	) int {
		return list(child, first, last)
	}
	c.Organization.Items = func(
		child int, _ delivery.ItemKind, _ *string, _ *bool, first *int32, _ *string,
	) int {
		return list(child, first, nil)
	}
	c.Organization.Events = func(child int, first *int32, _ *string, _ *gen.EventFilter) int {
		return list(child, first, nil)
	}
	c.Organization.Deliveries = func(
		child int, first *int32, _ *string, last *int32, _ *string, _ *gen.DeliveryFilter,
	) int {
		return list(child, first, last)
	}
	// The counts of many hours are summed.
	c.Organization.DeliveryStats = func(child int, _ service.StatsWindow, _ *gen.DeliveryFilter) int {
		return 50 + child
	}
	c.DeliveryStats.Buckets = func(child int) int { return 1 + longestWindow*child }
	c.Query.AuditLog = func(child int, first *int32, _ *string, _ *gen.AuditFilter) int {
		return list(child, first, nil)
	}
	c.Organization.AuditLog = c.Query.AuditLog
	c.Webhook.Versions = func(child int, first *int32, _ *string) int { return list(child, first, nil) }
	c.Webhook.Deliveries = func(child int, first *int32, _ *string, _ *gen.DeliveryFilter) int {
		return list(child, first, nil)
	}
	c.Event.Deliveries = func(child int, first *int32, _ *string) int { return list(child, first, nil) }
	// Lists without arguments have a typical length.
	c.Organization.APIKeys = func(child int) int { return 1 + delivery.DefaultPageSize*child }
	c.Webhook.Overlaps = func(child int) int { return 1 + usual*child }
	// Counting waiting deliveries may read ten thousand rows.
	c.Webhook.Health = func(child int) int { return 20 + child }
	c.Event.Evaluation = func(child int) int { return 1 + usualWebhooks*child }
	c.Delivery.Attempts = func(child int) int { return 1 + usual*child }
	return c
}

// weighLongFields sets the complexity of fields that may be long.
func weighLongFields(c *gen.ComplexityRoot) {
	c.Delivery.Message = long(template.MaxMessage)
	c.Delivery.Request = long(template.MaxMessage) // with a command that has the message in it
	c.MessagePreview.Message = long(template.MaxMessage)
	c.TestWebhookPayload.Message = long(template.MaxMessage)
	c.TestWebhookPayload.Request = long(template.MaxMessage)
	c.Event.Variables = long(delivery.MaxTextSize)
	c.Webhook.Template = long(template.MaxTemplate)
	c.WebhookVersion.Template = long(template.MaxTemplate)
	c.AuditChange.Before = long(template.MaxTemplate)
	c.AuditChange.After = long(template.MaxTemplate)
	c.Attempt.ResponseBody = long(egress.MaxBody)
	c.Attempt.ResponseHeaders = long(egress.MaxBody)
	c.Attempt.RequestHeaders = long(egress.MaxBody)
	c.Item.Attributes = long(egress.MaxBody)
}

// long returns the complexity of a text of at most size bytes.
func long(size int) func(child int) int {
	const step = 4 << 10
	return func(child int) int { return size/step + child }
}

const (
	usualWebhooks = 20 // assumed number of an organization's webhooks
	usual         = 3  // assumed length of a short list
	longestWindow = 90 // buckets of the longest StatsWindow
)

func list(child int, first, last *int32) int {
	n := max(value(first), value(last))
	if n < 1 {
		n = delivery.DefaultPageSize
	}
	return 1 + int(min(n, delivery.MaxPageSize))*child
}
