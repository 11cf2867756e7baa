package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"portalhooks/delivery"
)

// Webhook is what changes about a webhook, with those parts of its current
// version that lists filter by.
type Webhook struct{ ent.Schema }

// Annotations names the table.
func (Webhook) Annotations() []schema.Annotation {
	return table("webhook")
}

// Fields lists the columns.
func (Webhook) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").GoType(delivery.WebhookID(0)).Annotations(given()),
		field.Int64("organization_id").GoType(delivery.OrgID(0)).Immutable(),
		field.Text("name"),
		field.Bytes("name_key").Comment("The folded name: sorts alike in both databases."),
		field.Text("search").Comment("The folded name and target URL."),
		field.Text("status").GoType(delivery.WebhookStatus("")),
		field.Text("disabled_reason").GoType(delivery.DisabledReason("")),
		field.Int64("disabled_at"),
		field.Bool("holding"),
		field.Int("cancel_before").Default(0).
			Comment("The version whose change canceled what was pending."),
		field.Int("recalling").Default(0).
			Comment("What its pending deliveries have still to be told: see ent/queue/recall.go."),
		field.Text("secrets").Sensitive().Comment("JSON, newest first; the values are sealed."),
		field.Int64("version_id").GoType(delivery.VersionID(0)).Comment("The current version."),
		field.Int("version_number"),
		field.Text("event_type").GoType(delivery.EventType("")),
		field.Text("selection").Comment("* for all items, else the ids between commas: ,1,2,"),
		field.Text("fingerprint"),
		field.Int64("created_at").Immutable(),
		field.Text("created_by").Immutable(),
		field.Int64("updated_at"),
		field.Text("updated_by"),
		field.Int64("deleted_at").Default(0),
	}
}

// Edges ties a webhook to its organization and its versions.
func (Webhook) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("organization", Organization.Type).Ref("webhooks").
			Field("organization_id").Unique().Required().Immutable(),
		edge.To("versions", WebhookVersion.Type),
	}
}

// Indexes refuse twins (two webhooks with the same configuration would send
// everything twice), serve the list by name, and find the few that are recalled.
func (Webhook) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organization_id", "fingerprint").Unique().
			Annotations(entsql.IndexWhere("deleted_at = 0")),
		index.Fields("organization_id", "name_key", "id"),
		index.Fields("recalling").Annotations(entsql.IndexWhere("recalling <> 0")),
	}
}
