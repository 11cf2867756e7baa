package template

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Values are what an event's variables are replaced by. They are immutable and
// safe for concurrent use, so one event's Values serve all its webhooks. The
// zero Values are empty.
type Values struct {
	fields []field // sorted by name, distinct
	extra  []field // few; a later one wins, and all win over fields
}

// A field is one variable's value. Text is valid UTF-8 without NUL.
type field struct {
	name string
	text string // what a plain variable yields
	json bool   // text is also the JSON value: a number, boolean, array or object
	null bool
}

// A Text is a variable that is not stored with the event.
type Text struct {
	Name string // without "#"
	Text string
}

// ParseValues reads an object of variables, names without "#". Bad UTF-8, halves
// of surrogate pairs and NUL become U+FFFD, numbers keep their digits, arrays
// and objects are brought to one compact spelling. Of a name that is there twice
// the last value counts.
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

// With returns the values with further texts, which win over values of the same
// name. It costs one allocation and leaves v as it is.
func (v Values) With(texts ...Text) Values {
	extra := make([]field, 0, len(v.extra)+len(texts))
	extra = append(extra, v.extra...)
	for _, t := range texts {
		extra = append(extra, field{name: t.Name, text: clean(t.Text)})
	}
	return Values{fields: v.fields, extra: extra}
}

// resolve points the slot of every name, which are sorted, at its value. A slot
// without a value is left alone.
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
