package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// Session is a person who is signed in to the console.
type Session struct{ ent.Schema }

// Annotations names the table.
func (Session) Annotations() []schema.Annotation {
	return table("session")
}

// Fields lists the columns.
func (Session) Fields() []ent.Field {
	return []ent.Field{
		field.Text("id").Immutable().Comment("Hash of what the browser holds."),
		field.Text("person").Immutable(),
		field.Text("name").Immutable(),
		field.Text("claims").Immutable().Comment("A JSON object of lists of texts."),
		field.Int64("created_at").Immutable(),
		field.Int64("ends_at").Immutable(),
		field.Int64("seen_at"),
	}
}

// Indexes serve the bound for each person, and the removal of what is over.
func (Session) Indexes() []ent.Index {
	return []ent.Index{index.Fields("person", "created_at"), index.Fields("seen_at")}
}
