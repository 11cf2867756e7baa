package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"portalhooks/delivery"
)

// WebhookVersion is what a webhook was from one change to the next. Only its
// end is ever written to, and its secrets when they are sealed with another key.
type WebhookVersion struct{ ent.Schema }

// Annotations names the table.
func (WebhookVersion) Annotations() []schema.Annotation {
	return table("webhook_version")
}

// Fields lists the columns.
func (WebhookVersion) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").GoType(delivery.VersionID(0)).Annotations(given()),
		field.Int64("organization_id").GoType(delivery.OrgID(0)).Immutable(),
		field.Int64("webhook_id").GoType(delivery.WebhookID(0)).Immutable(),
		field.Int("number").Immutable(),
		field.Text("name").Immutable(),
		field.Text("event_type").GoType(delivery.EventType("")).Immutable(),
		field.Text("target").Sensitive().Comment("Masked where the whole URL is sealed."),
		field.Bytes("sealed_target").Optional().Comment("An envelope of the whole URL."),
		field.Text("selection").Immutable().Comment("* for all items, else the ids between commas: ,1,2,"),
		field.Text("template").Immutable(),
		field.Text("headers").Sensitive().Comment("JSON; secret values are sealed."),
		field.Text("policy").Immutable().Comment("JSON."),
		field.Bool("listening").Immutable(),
		field.Text("fingerprint").Immutable(),
		field.Int64("created_at").Immutable(),
		field.Text("created_by").Immutable(),
		field.Int64("ended_at").Default(0),
		field.Bool("deleted").Default(false).Comment("It ended with the webhook's deletion."),
	}
}

// Edges ties a version to its webhook.
func (WebhookVersion) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("webhook", Webhook.Type).Ref("versions").
			Field("webhook_id").Unique().Required().Immutable(),
	}
}

// Indexes number the versions of a webhook and find those of an organization.
func (WebhookVersion) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("webhook_id", "number").Unique(),
		index.Fields("organization_id"),
	}
}
