package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"portalhooks/delivery"
)

// AuditEntry is a line of the audit log. Triggers of the database refuse to
// change one, and to remove one that is young.
type AuditEntry struct{ ent.Schema }

// Annotations names the table.
func (AuditEntry) Annotations() []schema.Annotation {
	return table("audit")
}

// Fields lists the columns.
func (AuditEntry) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").GoType(delivery.AuditID(0)).Annotations(given()),
		field.Int64("organization_id").GoType(delivery.OrgID(0)).Immutable().Comment("0 for the platform."),
		field.Int64("at").Immutable(),
		field.Text("action").GoType(delivery.Action("")).Immutable(),
		field.Text("actor_kind").GoType(delivery.ActorKind("")).Immutable(),
		field.Text("actor").Immutable(),
		field.Int64("key_id").GoType(delivery.KeyID(0)).Immutable().Comment("0 for none."),
		field.Text("object_type").GoType(delivery.ObjectType("")).Immutable(),
		field.Text("object_id").Immutable(),
		field.Text("object_name").Immutable(),
		field.Text("changes").Immutable().Comment("JSON, without secrets."),
		field.Text("request_id").Immutable(),
		field.Text("address").Immutable(),
	}
}

// Indexes serve the list of one organization and that of all.
func (AuditEntry) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organization_id", "at", "id"),
		index.Fields("at", "id"),
	}
}
