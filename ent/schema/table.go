package schema

import (
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
)

// table names an entity's table.
func table(name string) []schema.Annotation {
	return []schema.Annotation{entsql.Table(name)}
}

// given marks an id that the process makes: the database has no sequence.
func given() schema.Annotation { return entsql.Annotation{Incremental: new(bool)} }
