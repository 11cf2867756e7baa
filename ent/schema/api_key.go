package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"portalhooks/delivery"
)

// APIKey is a credential for a program.
type APIKey struct{ ent.Schema }

// Annotations names the table.
func (APIKey) Annotations() []schema.Annotation {
	return table("api_key")
}

// Fields lists the columns.
func (APIKey) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").GoType(delivery.KeyID(0)).Annotations(given()),
		field.Text("prefix").Immutable().Unique(),
		field.Bytes("hash").Sensitive().Immutable(),
		field.Text("name").Immutable(),
		field.Text("role").GoType(delivery.KeyRole("")).Immutable(),
		field.Int64("organization_id").GoType(delivery.OrgID(0)).Immutable().Comment("0 for all."),
		field.Int64("created_at").Immutable(),
		field.Text("created_by").Immutable(),
		field.Text("maker").Immutable().Default("").Comment("The person whose role the key ends with, if any."),
		field.Bool("local").Immutable().Default(false).Comment("Whether it works in development mode only."),
		field.Int64("expires_at").Immutable(),
		field.Int64("revoked_at").Default(0),
		field.Int64("last_used_at").Default(0),
	}
}

// Indexes serve the lists of one organization and of one person.
func (APIKey) Indexes() []ent.Index {
	return []ent.Index{index.Fields("organization_id", "id"), index.Fields("maker")}
}
