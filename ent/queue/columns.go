package queue

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"portalhooks/ent/sqldb"
)

// A column of a table whose rows are read into, and written from, values of
// type R. Statements are made from columns, so that each is written once.
type column[R any] struct {
	name string
	// null is the value that is stored as NULL; nil in a column without NULLs.
	null any
	// at points to the column's value in a row: an *int64, *bool, *string or
	// *[]byte.
	at func(r *R) any
}

// columns are the columns of a table, or of what a statement makes of several.
type columns[R any] []column[R]

// within returns the columns of a part of a row.
func within[R, Part any](part columns[Part], of func(r *R) *Part) columns[R] {
	all := make(columns[R], len(part))
	for i, c := range part {
		all[i] = column[R]{c.name, c.null, func(r *R) any { return c.at(of(r)) }}
	}
	return all
}

// without leaves columns out.
func (t columns[R]) without(names ...string) columns[R] {
	return slices.DeleteFunc(slices.Clone(t), func(c column[R]) bool { return slices.Contains(names, c.name) })
}

// join writes the columns one after the other.
func (t columns[R]) join(write func(i int, c column[R]) string) string {
	all := make([]string, len(t))
	for i, c := range t {
		all[i] = write(i, c)
	}
	return strings.Join(all, ", ")
}

// names lists the columns as INSERT does.
func (t columns[R]) names() string {
	return t.join(func(_ int, c column[R]) string { return c.name })
}

// selected lists the columns of a table as scanning reads them.
func (t columns[R]) selected(alias string) string {
	return t.join(func(_ int, c column[R]) string { return c.orNull(alias + "." + c.name) })
}

// selectedAs does the same with names, and with other expressions in the place
// of some columns.
func (t columns[R]) selectedAs(alias string, instead map[string]string) string {
	return t.join(func(_ int, c column[R]) string {
		expression, found := instead[c.name]
		if !found {
			expression = c.orNull(alias + "." + c.name)
		}
		return expression + " AS " + c.name
	})
}

// orNull puts the value that stands for NULL in its place.
func (c column[R]) orNull(expression string) string {
	if c.null == nil {
		return expression
	}
	return fmt.Sprintf("COALESCE(%s, %s)", expression, literal(c.null))
}

// stored lists the columns of rows of another table as they are stored, with
// other expressions in the place of some.
func (t columns[R]) stored(alias string, instead map[string]string) string {
	return t.join(func(_ int, c column[R]) string {
		switch expression, found := instead[c.name]; {
		case found:
			return expression
		case c.null != nil:
			return fmt.Sprintf("NULLIF(%s.%s, %s)", alias, c.name, literal(c.null))
		}
		return alias + "." + c.name
	})
}

func literal(null any) string {
	if text, ok := null.(string); ok {
		return "'" + text + "'"
	}
	return fmt.Sprint(null)
}

// placeholders writes one ? for each column. SQLite takes it in less time than
// a number.
func (t columns[R]) placeholders() string {
	return t.join(func(int, column[R]) string { return "?" })
}

// numbered writes a parameter for each column, from $1 on.
func (t columns[R]) numbered() string {
	return t.join(func(i int, _ column[R]) string { return fmt.Sprintf("$%d", i+1) })
}

// arrays writes a parameter for each column, from $first on, that is an array of
// the column's type.
func (t columns[R]) arrays(first int) string {
	return t.join(func(i int, c column[R]) string { return c.array(first + i) })
}

// unnested does the same for ROWS FROM.
func (t columns[R]) unnested(first int) string {
	return t.join(func(i int, c column[R]) string { return "unnest(" + c.array(first+i) + ")" })
}

func (c column[R]) array(parameter int) string {
	kind := ""
	switch c.at(new(R)).(type) {
	case *int64:
		kind = "bigint"
	case *bool:
		kind = "boolean"
	case *string:
		kind = "text"
	case *[]byte:
		kind = "bytea"
	}
	return fmt.Sprintf("$%d::%s[]", parameter, kind)
}

// values appends a row as arguments of numbered or placeholders.
func (t columns[R]) values(args []any, r *R) []any {
	for _, c := range t {
		args = append(args, c.value(r))
	}
	return args
}

func (c column[R]) value(r *R) any {
	switch p := c.at(r).(type) {
	case *int64:
		return orNil(*p, c.null)
	case *bool:
		return orNil(*p, c.null)
	case *string:
		return orNil(*p, c.null)
	case *[]byte:
		if *p != nil {
			return *p
		}
	}
	return nil
}

func orNil[T comparable](value T, null any) any {
	if n, ok := null.(T); ok && value == n {
		return nil
	}
	return value
}

// gather returns rows column by column, as the arguments of arrays or unnested:
// so one statement takes many rows.
func (t columns[R]) gather(args []any, rows []R) []any {
	for _, c := range t {
		switch c.at(new(R)).(type) {
		case *int64:
			args = append(args, gather[int64](c, rows))
		case *bool:
			args = append(args, gather[bool](c, rows))
		case *string:
			args = append(args, gather[string](c, rows))
		case *[]byte:
			args = append(args, gather[[]byte](c, rows))
		}
	}
	return args
}

func gather[T, R any](c column[R], rows []R) any {
	all := make([]T, len(rows))
	for i := range rows {
		all[i] = *c.at(&rows[i]).(*T)
	}
	return sqldb.Array(&all)
}

// scanning returns a function that reads rows of the columns. It reads all into
// one row, and convert must not keep it.
func scanning[R, T any](t columns[R], convert func(r *R) T) func(*sql.Rows) (T, error) {
	r := new(R)
	into := make([]any, len(t))
	for i, c := range t {
		into[i] = c.at(r)
	}
	return func(rows *sql.Rows) (T, error) {
		err := rows.Scan(into...)
		return convert(r), err
	}
}

// fill reads a row of columns that are numbers or, as numbers, truths.
func (t columns[R]) fill(r *R, row []int64) {
	for i, c := range t {
		switch p := c.at(r).(type) {
		case *int64:
			*p = row[i]
		case *bool:
			*p = row[i] != 0
		}
	}
}
