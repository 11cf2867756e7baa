package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"portalhooks/delivery"
)

// Organization is one of Portal's tenants.
type Organization struct{ ent.Schema }

// Annotations names the table.
func (Organization) Annotations() []schema.Annotation {
	return table("organization")
}

// Fields lists the columns.
func (Organization) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").GoType(delivery.OrgID(0)).Annotations(given()),
		field.Text("external_id").Immutable().Unique(),
		field.Text("name"),
		field.Bytes("name_key").Comment("The folded name: sorts alike in both databases."),
		field.Text("search").Comment("The folded name and external id."),
		field.Int64("config_version").Default(0),
		field.Int64("created_at").Immutable(),
	}
}

// Edges lists what belongs to an organization.
func (Organization) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("items", Item.Type),
		edge.To("webhooks", Webhook.Type),
	}
}

// Indexes serve the list by name.
func (Organization) Indexes() []ent.Index {
	return []ent.Index{index.Fields("name_key", "id")}
}
