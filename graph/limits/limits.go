package limits

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// The codes that this package sets as extensions.code.
const (
	CodeLimit    = "LIMIT_EXCEEDED" // the document exceeds a limit
	CodeBadInput = "BAD_USER_INPUT" // a document or a variable does not match the schema
)

// Limits are the limits of a GraphQL document. Fragments count at every spread.
// The zero value is ready for production.
type Limits struct {
	QueryBytes  int      // text of the document; 16 KiB if zero
	Tokens      int      // lexical tokens of the document; 1,000 if zero
	Depth       int      // nested fields; 15 if zero
	Fields      int      // fields in all operations together; 500 if zero
	RootFields  int      // top-level fields of one operation; 20 if zero
	Aliases     int      // aliased fields in all operations together; 50 if zero
	Complexity  int      // complexity of a query or mutation, as defined by the schema; 5,000 if zero
	OnlyOnce    []string // root fields that an operation may have only once; none if empty
	OpenEnums   []string // enumerations of which resolvers judge unknown values; none if empty
	CachedBytes int      // text of a document that is cached; 4 KiB if zero
	CachedNodes int      // nodes of all documents in the cache; 20,000 if zero

	SubscriptionComplexity int // complexity of each response of a subscription; 500 if zero
}

func (l Limits) withDefaults() Limits {
	l.QueryBytes = cmp.Or(l.QueryBytes, 16<<10)
	l.Tokens = cmp.Or(l.Tokens, 1000)
	l.Depth = cmp.Or(l.Depth, 15)
	l.Fields = cmp.Or(l.Fields, 500)
	l.RootFields = cmp.Or(l.RootFields, 20)
	l.Aliases = cmp.Or(l.Aliases, 50)
	l.Complexity = cmp.Or(l.Complexity, 5000)
	l.SubscriptionComplexity = cmp.Or(l.SubscriptionComplexity, 500)
	l.CachedBytes = cmp.Or(l.CachedBytes, 4<<10)
	l.CachedNodes = cmp.Or(l.CachedNodes, 20_000)
	return l
}

// A Guard applies Limits to the operations of an executor. It must be set as an
// extension and as the query cache, and its Rules as the validation rules. It is
// safe for concurrent use.
type Guard struct {
	// Owner returns whose share of the cache the documents of the caller in ctx
	// take; false if they are not cached. All callers have one share if nil.
	Owner func(ctx context.Context) (owner string, ok bool)

	limits     Limits
	cache      *lru
	executable graphql.ExecutableSchema
	schema     *ast.Schema
	open       *ast.Schema // with OpenEnums as scalars
}

var (
	_ graphql.OperationParameterMutator = (*Guard)(nil)
	_ graphql.OperationContextMutator   = (*Guard)(nil)
	_ graphql.Cache[*ast.QueryDocument] = (*Guard)(nil)
	_ graphql.HandlerExtension          = (*Guard)(nil)
)

// New returns a Guard for the operations of schema.
func New(schema graphql.ExecutableSchema, l Limits) *Guard {
	l = l.withDefaults()
	return &Guard{
		Owner:  func(context.Context) (string, bool) { return "", true },
		limits: l, cache: newLRU(l.CachedNodes, l.CachedNodes/ownerPart),
		executable: schema, schema: schema.Schema(),
		open: opened(schema.Schema(), l.OpenEnums),
	}
}

// ExtensionName implements [graphql.HandlerExtension].
func (*Guard) ExtensionName() string { return "Limits" }

// Validate implements [graphql.HandlerExtension]. Every schema is valid.
func (*Guard) Validate(graphql.ExecutableSchema) error { return nil }

// TokenLimit returns the maximum number of tokens of a document.
func (g *Guard) TokenLimit() int { return g.limits.Tokens }

// Get implements [graphql.Cache]. Cached documents are measured and validated.
func (g *Guard) Get(ctx context.Context, query string) (*ast.QueryDocument, bool) {
	if doc, ok := directIn(ctx); ok {
		return doc, true
	}
	known, ok := g.cache.get(query)
	return known.doc, ok
}

// Add implements [graphql.Cache] and does nothing: keep adds a document when all
// checks of the operation have passed.
func (*Guard) Add(context.Context, string, *ast.QueryDocument) {}

// ownerPart is the part of the cache that the documents of one owner may take.
const ownerPart = 8

// keep adds the document of an operation to the cache. Long documents are not
// cached: a caller with values in the text instead of variables would evict the
// documents of others.
func (g *Guard) keep(ctx context.Context, opCtx *graphql.OperationContext) {
	if _, direct := directIn(ctx); direct || len(opCtx.RawQuery) > g.limits.CachedBytes {
		return
	}
	if owner, ok := g.Owner(ctx); ok {
		g.cache.add(opCtx.RawQuery, owner, opCtx.Doc)
	}
}

// MutateOperationParameters implements [graphql.OperationParameterMutator]. It
// refuses documents that exceed a limit before they are validated.
func (g *Guard) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	if len(params.Query) > g.limits.QueryBytes {
		return tooMuch("The query text is longer than %d bytes.", g.limits.QueryBytes)
	}
	doc, known := g.Get(ctx, params.Query)
	if !known {
		var err error
		doc, err = parser.ParseQueryWithTokenLimit(&ast.Source{Input: params.Query}, g.limits.Tokens)
		if err != nil {
			return g.parseError(err)
		}
		if err := g.measure(doc); err != nil {
			return err
		}
	}
	if variables := variablesFor(ctx, doc); variables != nil {
		params.Variables = variables
	}
	return nil
}

func (g *Guard) parseError(err error) *gqlerror.Error {
	// gqlparser has no type for this error.
	if strings.Contains(err.Error(), "exceeded token limit") {
		return tooMuch("The query has more than %d tokens.", g.limits.Tokens)
	}
	e := gqlerror.WrapIfUnwrapped(err)
	e.Extensions = map[string]any{"code": CodeBadInput}
	return e
}

func (g *Guard) measure(doc *ast.QueryDocument) *gqlerror.Error {
	m := newMeter(doc)
	var total weight
	for _, op := range doc.Operations {
		w := m.selections(op.SelectionSet)
		total = total.plus(w)
		if w.level > g.limits.RootFields {
			return tooMuch("The operation has more than %d root fields.", g.limits.RootFields)
		}
		for _, name := range g.limits.OnlyOnce {
			if m.keysOf(name, op.SelectionSet, map[string]bool{}, map[string]bool{}) > 1 {
				return tooMuch("The operation has %s more than once. Send one list instead.", name)
			}
		}
	}
	// Unused fragments take validation time too.
	for _, f := range doc.Fragments {
		total = total.atLeast(m.fragment(f.Name))
	}
	switch {
	case total.depth > g.limits.Depth:
		return tooMuch("The query is nested deeper than %d fields.", g.limits.Depth)
	case total.fields > g.limits.Fields:
		return tooMuch("The query has more than %d fields.", g.limits.Fields)
	case total.aliases > g.limits.Aliases:
		return tooMuch("The query has more than %d aliases.", g.limits.Aliases)
	}
	return nil
}

func tooMuch(format string, args ...any) *gqlerror.Error {
	return &gqlerror.Error{Message: fmt.Sprintf(format, args...), Extensions: map[string]any{"code": CodeLimit}}
}

// badInput returns an error about the input at path, which begins with the name
// of a variable.
func badInput(path ast.Path, format string, args ...any) *gqlerror.Error {
	return &gqlerror.Error{
		Message:    fmt.Sprintf(format, args...),
		Extensions: map[string]any{"code": CodeBadInput, InputPath: InputPathOf(path)},
	}
}

// InputPath is the extension of an error that leads to the input at fault: the
// name of an argument or variable, then the names of fields and the indexes of
// elements.
const InputPath = "inputPath"

// maxNameBytes bounds a name in an input path: names of unknown fields come from
// the request.
const maxNameBytes = 100

// InputPathOf returns path as the value of the extension InputPath.
func InputPathOf(path ast.Path) []any {
	steps := make([]any, len(path))
	for i, element := range path {
		switch element := element.(type) {
		case ast.PathIndex:
			steps[i] = int(element)
		case ast.PathName:
			steps[i] = strings.ToValidUTF8(string(element)[:min(len(element), maxNameBytes)], "")
		}
	}
	return steps
}
