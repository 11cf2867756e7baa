package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"

	"portalhooks/delivery"
)

// WebhookHealth is how a webhook's target has behaved. Its id is the
// webhook's. It is a table of its own, without a reference to the webhook,
// because attempts write it all the time and must not wait for admins.
type WebhookHealth struct{ ent.Schema }

// Annotations names the table.
func (WebhookHealth) Annotations() []schema.Annotation {
	return table("webhook_health")
}

// Fields lists the columns.
func (WebhookHealth) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").GoType(delivery.WebhookID(0)).Annotations(given()).StorageKey("webhook_id"),
		field.Int64("last_success_at"),
		field.Int64("last_failure_at"),
		field.Int64("failing_since"),
		field.Int64("noticed_at").Default(0).Comment("When notice of its disabling was last given."),
	}
}
