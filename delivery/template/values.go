package template

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Values are the values of an event's variables. They are immutable and safe for
// concurrent use, so that all webhooks of an event share them. The zero value is
// empty.
type Values struct {
	fields []field // sorted by name, distinct
	extra  []field // few; they override fields, and later ones override earlier ones
}

// A field is the value of a variable. Text is valid UTF-8 without NUL.
type field struct {
	name string
	text string // rendering of a plain variable
	json bool   // text is also the JSON value: a number, boolean, array or object
	null bool
}

// A Text is a variable that is not stored with the event.
type Text struct {
	Name string // without "#"
	Text string
}

// ParseValues parses a JSON object with the variables' values by name, without "#".
// Invalid UTF-8, lone surrogates and NUL become U+FFFD, numbers keep their digits,
// arrays and objects are compacted. The last value of a duplicate name wins.
func ParseValues(json []byte) (Values, error) {
	r := reader{text: string(json)}
	fields, err := r.fields()
	if err != nil {
		return Values{}, fmt.Errorf("parse the values of an event: %w", err)
	}
	byName := func(a, b field) int { return cmp.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(fields, byName) {
		slices.SortStableFunc(fields, byName)
	}
	distinct := fields[:0]
	for i, f := range fields {
		if i+1 == len(fields) || fields[i+1].name != f.name {
			distinct = append(distinct, f)
		}
	}
	return Values{fields: distinct}, nil
}

// With returns a copy of v with further texts, which override values of the same
// name. It costs one allocation.
func (v Values) With(texts ...Text) Values {
	extra := make([]field, 0, len(v.extra)+len(texts))
	extra = append(extra, v.extra...)
	for _, t := range texts {
		extra = append(extra, field{name: t.Name, text: clean(t.Text)})
	}
	return Values{fields: v.fields, extra: extra}
}

// resolve sets the slot of every name to its value, or leaves it if there is none.
// The names are sorted.
func (v Values) resolve(names []string, slots []*field) {
	for n, f := 0, 0; n < len(names) && f < len(v.fields); {
		switch strings.Compare(names[n], v.fields[f].name) {
		case 0:
			slots[n] = &v.fields[f]
			n++
			f++
		case -1:
			n++
		default:
			f++
		}
	}
	for i := range v.extra {
		if n, found := slices.BinarySearch(names, v.extra[i].name); found {
			slots[n] = &v.extra[i]
		}
	}
}
