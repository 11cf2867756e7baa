package limits

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
)

// oneSubscription refuses a subscription that does not have exactly one field,
// counted by its key in the response. A field that @skip or @include may leave
// out is refused too. gqlparser's rule, which it replaces, counts names and so
// accepts one field under two aliases.
func oneSubscription(observers *core.Events, addError core.AddErrFunc) {
	observers.OnOperation(func(_ *core.Walker, op *ast.OperationDefinition) {
		if op.Operation != ast.Subscription {
			return
		}
		roots := &rootFields{keys: map[string]bool{}, visited: map[string]bool{}}
		roots.collect(op.SelectionSet)
		switch {
		case roots.introspection != "":
			addError(core.Message(
				"A subscription can't have %s beside or in place of its field.", roots.introspection,
			), core.At(op.Position))
		case roots.conditional:
			addError(core.Message("The field of a subscription can't have @skip or @include: subscribe, or don't."),
				core.At(op.Position))
		case len(roots.keys) > 1:
			addError(core.Message("A subscription has one field. Send one subscription for each field."),
				core.At(op.Position))
		}
	})
}

// rootFields are the fields of an operation, with its fragments expanded.
type rootFields struct {
	keys          map[string]bool // in the response
	visited       map[string]bool // fragments
	introspection string          // a field such as __typename
	conditional   bool            // a field may be left out
}

func (r *rootFields) collect(set ast.SelectionSet) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			r.keys[s.Alias] = true
			r.note(s.Directives)
			if strings.HasPrefix(s.Name, "__") {
				r.introspection = s.Name
			}
		case *ast.InlineFragment:
			r.note(s.Directives)
			r.collect(s.SelectionSet)
		case *ast.FragmentSpread:
			r.note(s.Directives)
			if !r.visited[s.Name] && s.Definition != nil {
				r.visited[s.Name] = true
				r.collect(s.Definition.SelectionSet)
			}
		}
	}
}

func (r *rootFields) note(directives ast.DirectiveList) {
	r.conditional = r.conditional || directives.ForName("skip") != nil || directives.ForName("include") != nil
}
