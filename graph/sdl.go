package graph

import (
	"io/fs"
	"maps"
	"strings"
	"sync"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"

	"portalhooks/graph/gen"
	"portalhooks/schema"
)

// executedSchema returns the schema as it is executed: without @defer, which
// gqlparser adds and no transport supports.
func executedSchema() *ast.Schema {
	executed := *gen.NewExecutableSchema(gen.Config{}).Schema()
	executed.Directives = maps.Clone(executed.Directives)
	delete(executed.Directives, "defer")
	return &executed
}

// oneOfDirective declares @oneOf. Older parsers do not know it as a built-in
// directive, and refuse a schema that uses it without a declaration.
const oneOfDirective = `"Exactly one field of the input must be set, and it must not be null."
directive @oneOf on INPUT_OBJECT

`

// SDL returns the whole schema as one document. Types are merged with their
// extensions and sorted by name, because some generators of clients refuse an
// extension that precedes its type.
var SDL = sync.OnceValue(func() string {
	var sources []*ast.Source
	_ = fs.WalkDir(schema.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := schema.Files.ReadFile(path)
		sources = append(sources, &ast.Source{Name: path, Input: string(text)})
		return err
	})
	var b strings.Builder
	b.WriteString(oneOfDirective)
	formatter.NewFormatter(&b, formatter.WithIndent("  ")).FormatSchema(gqlparser.MustLoadSchema(sources...))
	return b.String()
})
