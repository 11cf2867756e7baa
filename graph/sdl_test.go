package graph

import (
	"strings"
	"testing"

	"portalhooks/graph/gen"
)

func TestSDLIsTheWholeSchema(t *testing.T) {
	t.Parallel()
	text := SDL()
	for name, def := range gen.NewExecutableSchema(gen.Config{}).Schema().Types {
		if !def.BuiltIn && !strings.Contains(text, " "+name+" ") && !strings.Contains(text, " "+name+"\n") {
			t.Errorf("the text of the schema has no %s", name)
		}
	}
}

// Generators of clients read one document from start to end: relay-compiler
// refuses an extension, and genqlient a directive that is not declared.
func TestSDLIsOneMergedDocument(t *testing.T) {
	t.Parallel()
	if strings.Contains(SDL(), "extend ") {
		t.Error("the schema has an extension of a type")
	}
	if n := strings.Count(SDL(), "directive @oneOf on INPUT_OBJECT"); n != 1 {
		t.Errorf("the schema declares @oneOf %d times, want once", n)
	}
	if strings.Contains(SDL(), "@defer") {
		t.Error("the schema has @defer, which the server refuses")
	}
}
