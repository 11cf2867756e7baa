package schema

import (
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
)

// table names an entity's table, whose ids are made by the process and not
// by a sequence.
func table(name string) []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: name, Incremental: new(bool)}}
}
