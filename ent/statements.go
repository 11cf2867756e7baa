package ent

import (
	"maps"
	"slices"

	entsql "entgo.io/ent/dialect/sql"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// Errors for rows that do not exist. Callers of the store may show them.
var (
	errNoOrganization = delivery.Errorf(delivery.NotFound, "", "There is no such organization.")
	errNoWebhook      = delivery.Errorf(delivery.NotFound, "", "There is no such webhook.")
	errNoKey          = delivery.Errorf(delivery.NotFound, "", "There is no such API key.")
)

// replacing makes an upsert take the given columns from the new row, and leave
// the others as they are.
func replacing(columns ...string) entsql.ConflictOption {
	return entsql.ResolveWith(func(u *entsql.UpdateSet) {
		for _, c := range columns {
			u.SetExcluded(c)
		}
	})
}

// whenOther makes an upsert leave a row alone unless one of the given columns
// is about to change: a row that is written needlessly costs as much as one
// that changes.
func whenChanged(table string, columns ...string) entsql.ConflictOption {
	return entsql.UpdateWhere(entsql.P(func(b *entsql.Builder) {
		for i, c := range columns {
			if i > 0 {
				b.WriteString(" OR ")
			}
			b.WriteString(table + "." + c + " <> excluded." + c)
		}
	}))
}

// among is an IN that takes any number of ids; none of them is no row. The ids
// are numbers, so they are written into the statement, which has room for more
// of them than for parameters.
func among[T ~int64](column string, ids []T) *entsql.Predicate {
	return entsql.P(func(b *entsql.Builder) { b.Ident(column).WriteString(sqldb.InList(ids)) })
}

// inChunks reads in statements of bounded size.
func inChunks[K, R any](keys []K, read func(chunk []K) ([]R, error)) ([]R, error) {
	var all []R
	for chunk := range slices.Chunk(keys, chunkSize) {
		rows, err := read(chunk)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// sortedValues returns m's values by key.
func sortedValues[V any](m map[string]V) []V {
	values := make([]V, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		values = append(values, m[key])
	}
	return values
}
