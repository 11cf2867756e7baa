package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"portalhooks/graph"
)

// apiSchema is the schema that the server tells its clients.
func apiSchema() *ast.Schema {
	return gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphql", Input: graph.SDL()})
}

// textIDs are arguments that name things although they are of type String.
var textIDs = []string{"organizationId", "externalIds", "workspaceId"}

// coordinates returns every field of a type that takes an id or a cursor, once
// for each such argument: "Query.node(id)", "Mutation.deleteWebhook(input.id)".
// Fields of the roots that take none come without an argument.
func coordinates(schema *ast.Schema, def *ast.Definition) []string {
	var all []string
	isRoot := def == schema.Query || def == schema.Mutation || def == schema.Subscription
	for _, field := range def.Fields {
		if strings.HasPrefix(field.Name, "__") {
			continue
		}
		name := def.Name + "." + field.Name
		var paths []string
		for _, argument := range field.Arguments {
			paths = append(paths, idPaths(schema, argument.Name, argument.Type.Name(), nil)...)
		}
		if len(paths) == 0 && isRoot {
			all = append(all, name)
		}
		for _, path := range paths {
			all = append(all, fmt.Sprintf("%s(%s)", name, path))
		}
	}
	return all
}

// idPaths returns the paths in an argument that lead to ids and cursors.
func idPaths(schema *ast.Schema, path, typeName string, inside []string) []string {
	def := schema.Types[typeName]
	last := path[strings.LastIndex(path, ".")+1:]
	switch {
	case typeName == "ID", typeName == "Cursor", typeName == "String" && slices.Contains(textIDs, last):
		return []string{path}
	case def.Kind != ast.InputObject || slices.Contains(inside, typeName):
		return nil
	}
	var paths []string
	for _, field := range def.Fields {
		paths = append(paths, idPaths(schema, path+"."+field.Name, field.Type.Name(), append(inside, typeName))...)
	}
	return paths
}

// missingCases returns the coordinates that have no case, and the cases that
// have no such coordinate.
func missingCases(schema *ast.Schema, cases map[string]isolationCase) []string {
	var missing []string
	known := map[string]bool{}
	for _, def := range schema.Types {
		if def.Kind != ast.Object || strings.HasPrefix(def.Name, "__") {
			continue
		}
		for _, name := range coordinates(schema, def) {
			known[name] = true
			if len(cases[name].queries) == 0 {
				missing = append(missing, name)
			}
		}
	}
	for name := range cases {
		if !known[name] {
			missing = append(missing, name+" (which is not in the schema)")
		}
	}
	slices.Sort(missing)
	return missing
}

// nodeNames are the things of an organization that Query.node finds, with
// their names in names.
var nodeNames = map[string]string{
	"Organization": "organization", "Item": "item", "Webhook": "webhook", "WebhookVersion": "version",
	"Event": "event", "Delivery": "delivery", "Attempt": "attempt",
}

// nodeCases asks for every field of everything that Query.node finds, and for
// what is below the field.
func nodeCases(schema *ast.Schema) map[string]isolationCase {
	cases := map[string]isolationCase{}
	for _, def := range schema.PossibleTypes["Node"] {
		if def.Name == "EventType" { // of the catalogue, which everybody shares
			continue
		}
		for _, field := range def.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			query := fmt.Sprintf("{ node(id: @%s) { __typename ... on %s { %s } } }",
				nodeNames[def.Name], def.Name, selection(schema, field, 2))
			cases[def.Name+"."+field.Name] = isolationCase{queries: []string{query}}
		}
	}
	return cases
}

// adminOnly are the fields that viewers may not ask for. What asks for all that
// is below a thing leaves them out: their own cases ask for them.
var adminOnly = []string{"apiKeys", "auditLog"}

// selection asks for a field and for what is below it, to a depth.
func selection(schema *ast.Schema, field *ast.FieldDefinition, depth int) string {
	def := schema.Types[field.Type.Name()]
	text := field.Name + arguments(schema, field)
	if def.Kind != ast.Object {
		return text
	}
	inner := []string{"__typename"}
	for _, f := range def.Fields {
		leaf := schema.Types[f.Type.Name()].IsLeafType()
		hidden := strings.HasPrefix(f.Name, "__") || slices.Contains(adminOnly, f.Name)
		if !hidden && (leaf || depth > 0) {
			inner = append(inner, selection(schema, f, depth-1))
		}
	}
	return text + " { " + strings.Join(inner, " ") + " }"
}

// arguments gives a field the arguments that it must have, and keeps lists
// short.
func arguments(schema *ast.Schema, field *ast.FieldDefinition) string {
	var given []string
	for _, a := range field.Arguments {
		switch {
		case a.Name == "first":
			given = append(given, "first: 2")
		case a.Type.NonNull && a.DefaultValue == nil:
			given = append(given, a.Name+": "+schema.Types[a.Type.Name()].EnumValues[0].Name)
		}
	}
	if len(given) == 0 {
		return ""
	}
	return "(" + strings.Join(given, ", ") + ")"
}

// TestCasesAreMissed proves that a field without a case is noticed.
func TestCasesAreMissed(t *testing.T) {
	t.Parallel()
	cases := isolationCases()
	delete(cases, "Query.node(id)")
	cases["Query.nothing(id)"] = isolationCase{queries: []string{"{ nothing }"}}
	want := []string{"Query.node(id)", "Query.nothing(id) (which is not in the schema)"}
	if got := missingCases(apiSchema(), cases); !slices.Equal(got, want) {
		t.Errorf("missing cases %q, want %q", got, want)
	}
	for _, def := range apiSchema().PossibleTypes["Node"] {
		if nodeNames[def.Name] == "" && def.Name != "EventType" {
			t.Errorf("the type %s is a Node without a name in nodeNames", def.Name)
		}
	}
}
