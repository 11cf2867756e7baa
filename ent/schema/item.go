package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"portalhooks/delivery"
)

// Item is a definition that events are about.
type Item struct{ ent.Schema }

// Annotations names the table.
func (Item) Annotations() []schema.Annotation {
	return table("item")
}

// Fields lists the columns.
func (Item) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").GoType(delivery.ItemID(0)).Annotations(given()),
		field.Int64("organization_id").GoType(delivery.OrgID(0)).Immutable(),
		field.Text("kind").GoType(delivery.ItemKind("")).Immutable(),
		field.Text("external_id").Immutable(),
		field.Text("name"),
		field.Bytes("name_key").Comment("The folded name: sorts alike in both databases."),
		field.Text("search").Comment("The folded name and external id."),
		field.Bool("enabled"),
		field.Bool("missing").Default(false),
		field.Text("view_url"),
		field.Text("attributes").Comment("A compact JSON object."),
		field.Int64("updated_at"),
	}
}

// Edges ties an item to its organization.
func (Item) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("organization", Organization.Type).Ref("items").
			Field("organization_id").Unique().Required().Immutable(),
	}
}

// Indexes keep Portal's ids unique and serve the list by name.
func (Item) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organization_id", "kind", "external_id").Unique(),
		index.Fields("organization_id", "kind", "name_key", "id"),
	}
}
