package graph

import (
	"reflect"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"portalhooks/delivery"
	"portalhooks/graph/gen"
)

func TestPageOf(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first, last   *int32
		after, before *string
		want          delivery.Page
		code          delivery.Code
		field         string
	}{
		"nothing":            {want: delivery.Page{First: 25}},
		"after":              {after: new("c"), want: delivery.Page{First: 25, After: "c"}},
		"first":              {first: new(int32(1)), want: delivery.Page{First: 1}},
		"most":               {first: new(int32(100)), want: delivery.Page{First: 100}},
		"last before":        {last: new(int32(7)), before: new("c"), want: delivery.Page{Last: 7, Before: "c"}},
		"first between":      {first: new(int32(7)), after: new("a"), before: new("b"), want: delivery.Page{First: 7, After: "a", Before: "b"}},
		"too many":           {first: new(int32(101)), code: delivery.LimitExceeded, field: "first"},
		"none":               {first: new(int32(0)), code: delivery.LimitExceeded, field: "first"},
		"less than none":     {last: new(int32(-1)), code: delivery.LimitExceeded, field: "last"},
		"too many at end":    {last: new(int32(101)), code: delivery.LimitExceeded, field: "last"},
		"both ends":          {first: new(int32(1)), last: new(int32(1)), code: delivery.Invalid, field: "last"},
		"both ends, of none": {first: new(int32(0)), last: new(int32(0)), code: delivery.Invalid, field: "last"},
	} {
		got, err := pageOf(tt.first, tt.after, tt.last, tt.before)
		if tt.code != "" {
			refused(t, name, err, tt.code, tt.field)
		} else if err != nil || got != tt.want {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, tt.want)
		}
	}
}

// refused fails t unless err is an Error with this code and field.
func refused(t *testing.T, name string, err error, code delivery.Code, field string) {
	t.Helper()
	e, ok := err.(*delivery.Error) //nolint:errorlint // this very type is what the presenter shows
	if !ok || e.Code != code || e.Field != field {
		t.Errorf("%s: got %#v, want %s of %q", name, err, code, field)
	}
}

func TestPageInfo(t *testing.T) {
	t.Parallel()
	info := pageInfo(delivery.Slice[int]{Items: []int{1, 2}, Cursors: []string{"a", "b"}, HasNext: true})
	if !info.HasNextPage || info.HasPreviousPage || *info.StartCursor != "a" || *info.EndCursor != "b" {
		t.Errorf("got %+v", info)
	}
	info = pageInfo(delivery.Slice[int]{HasPrev: true})
	if info.StartCursor != nil || info.EndCursor != nil || !info.HasPreviousPage {
		t.Errorf("an empty slice: got %+v, want no cursors", info)
	}
}

// TestListsHaveACost checks that every field of the schema that is a list of
// objects to load costs more than one object.
func TestListsHaveACost(t *testing.T) {
	t.Parallel()
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	root := reflect.ValueOf(complexity())
	for _, def := range schema.Types {
		if def.Kind != ast.Object || strings.HasPrefix(def.Name, "__") {
			continue
		}
		for _, field := range def.Fields {
			if field.Arguments.ForName("first") == nil && field.Name != "nodes" {
				continue
			}
			if field.Name == "nodes" && def.Name != "Query" {
				continue // of a connection, whose cost includes them
			}
			reckon := root.FieldByName(def.Name).FieldByNameFunc(func(name string) bool {
				return strings.EqualFold(name, field.Name)
			})
			if reckon.IsNil() {
				t.Errorf("%s.%s costs no more than a single object: add it to complexity.go", def.Name, field.Name)
			}
		}
	}
}

func TestListCost(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first, last *int32
		want        int
	}{
		"default":        {nil, nil, 76},
		"first":          {new(int32(10)), nil, 31},
		"last":           {nil, new(int32(2)), 7},
		"refused anyhow": {new(int32(2_000_000_000)), nil, 301},
		"less than none": {new(int32(-5)), nil, 76},
	} {
		if got := list(3, tt.first, tt.last); got != tt.want {
			t.Errorf("%s: costs %d, want %d", name, got, tt.want)
		}
	}
}

func TestEveryNodeHasALoader(t *testing.T) {
	t.Parallel()
	nodes := gen.NewExecutableSchema(gen.Config{}).Schema().PossibleTypes["Node"]
	if got := len((&Resolver{}).nodeLoaders()); got != len(nodes) {
		t.Errorf("there are %d loaders for %d types of Node", got, len(nodes))
	}
}
