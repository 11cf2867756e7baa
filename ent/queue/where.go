package queue

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// A where gathers conditions. Numbers are written into them; text becomes
// arguments, which several queries of one statement share.
type where struct {
	conditions []string
	args       *[]any
}

func (w *where) add(condition string) { w.conditions = append(w.conditions, condition) }

// text adds a condition in which ? stands for an argument.
func (w *where) text(condition, arg string) {
	*w.args = append(*w.args, arg)
	w.add(strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(*w.args))))
}

// String writes the whole clause.
func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// made narrows to ids made in [after, before).
func (w *where) made(column string, after, before time.Time) {
	if !after.IsZero() {
		w.add(fmt.Sprintf("%s >= %d", column, delivery.IDAt[int64](after)))
	}
	if !before.IsZero() {
		w.add(fmt.Sprintf("%s < %d", column, delivery.IDAt[int64](before)))
	}
}

// contains adds that one of the columns has part in it, in any case. Each letter
// becomes a set of its cases, so the result does not depend on the database's
// locale: SQLite's own comparison knows ASCII only.
func (w *where) contains(db syntax, part string, columns ...string) {
	operator, pattern := db.contains(part)
	any := make([]string, len(columns))
	for i, c := range columns {
		any[i] = c + " " + operator + " ?"
	}
	w.text("("+strings.Join(any, " OR ")+")", pattern)
}

// casesOf returns all runes that differ from r only in case, r among them.
func casesOf(r rune) []rune {
	cases := []rune{r}
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		cases = append(cases, other)
	}
	return cases
}

func globOf(part string) string {
	var b strings.Builder
	b.WriteByte('*')
	for _, r := range sqldb.Clean(part) {
		cases := casesOf(r)
		if len(cases) > 1 || strings.ContainsRune("*?[", r) {
			b.WriteString("[" + string(cases) + "]")
		} else {
			b.WriteRune(r)
		}
	}
	b.WriteByte('*')
	return b.String()
}

func regexpOf(part string) string {
	var b strings.Builder
	b.WriteString("***:") // an advanced expression, whatever the server's setting
	for _, r := range sqldb.Clean(part) {
		cases := casesOf(r)
		switch {
		case len(cases) > 1:
			b.WriteString("[" + string(cases) + "]")
		case r < unicode.MaxASCII && !unicode.IsLetter(r) && !unicode.IsDigit(r):
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
