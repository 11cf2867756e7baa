package schema

import (
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

func load(t *testing.T) *ast.Schema {
	t.Helper()
	entries, err := Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var sources []*ast.Source
	for _, e := range entries {
		text, err := Files.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, &ast.Source{Name: e.Name(), Input: string(text)})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// A client finds out what everything means from the contract alone.
func TestEverythingIsDescribed(t *testing.T) {
	check := func(name, description string) {
		text := strings.TrimSpace(description)
		if text == "" || !strings.HasSuffix(text, ".") {
			t.Errorf("%s is described by %q, want full sentences", name, text)
		}
	}
	for name, def := range load(t).Types {
		if def.BuiltIn {
			continue
		}
		check(name, def.Description)
		for _, field := range def.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			check(name+"."+field.Name, field.Description)
			for _, arg := range field.Arguments {
				check(name+"."+field.Name+"("+arg.Name+")", arg.Description)
			}
		}
		for _, value := range def.EnumValues {
			check(name+"."+value.Name, value.Description)
		}
	}
}

// Mutations take one input and answer with a payload that has userErrors, so
// that both can grow.
func TestMutationsHaveOneShape(t *testing.T) {
	schema := load(t)
	for _, field := range schema.Mutation.Fields {
		if len(field.Arguments) != 1 || field.Arguments[0].Name != "input" {
			t.Errorf("%s does not take just one input", field.Name)
		}
		payload := schema.Types[field.Type.Name()]
		if !strings.HasSuffix(payload.Name, "Payload") || payload.Fields.ForName("userErrors") == nil {
			t.Errorf("%s answers with %s, which is no payload with userErrors", field.Name, payload.Name)
		}
	}
}

// No list is without a bound: connections take first and say where they stand.
func TestConnectionsAreBounded(t *testing.T) {
	for name, def := range load(t).Types {
		for _, field := range def.Fields {
			if !strings.HasSuffix(field.Type.Name(), "Connection") {
				continue
			}
			if field.Arguments.ForName("first") == nil || field.Arguments.ForName("after") == nil {
				t.Errorf("%s.%s is a connection without first and after", name, field.Name)
			}
		}
		if strings.HasSuffix(name, "Connection") && def.Fields.ForName("pageInfo") == nil {
			t.Errorf("%s has no pageInfo", name)
		}
	}
}

// The entities are the types with an id. A Node is one; the others can't be
// resolved by Query.node.
var entitiesBesideNode = []string{"ApiKey", "AuditEntry"}

// A normalized cache merges all objects with the same type and id, so such a
// type must be an entity: wherever it occurs, its fields have the same values.
func TestTypeWithIDIsAnEntity(t *testing.T) {
	schema := load(t)
	for name, def := range schema.Types {
		if def.Kind != ast.Object || def.Fields.ForName("id") == nil {
			continue
		}
		if !slices.Contains(def.Interfaces, "Node") && !slices.Contains(entitiesBesideNode, name) {
			t.Errorf("%s has an id and is no entity: a cache merges all its occurrences; name the field for what "+
				"it identifies, such as objectId", name)
		}
		if id := def.Fields.ForName("id"); id.Type.String() != "ID!" {
			t.Errorf("%s.id is of type %s, want ID!", name, id.Type)
		}
	}
	for _, name := range entitiesBesideNode {
		if schema.Types[name] == nil || schema.Types[name].Fields.ForName("id") == nil {
			t.Errorf("%s is listed as an entity and has no id", name)
		}
	}
}
