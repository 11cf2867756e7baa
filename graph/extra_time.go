package graph

import (
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"portalhooks/delivery"
)

// waiting is the field that waits for the receiver of a webhook.
const waiting = "testWebhook"

// extraTime gives operations that test a webhook as long as a receiver may take.
// Several tests in one operation share it.
func extraTime(op *ast.OperationDefinition) time.Duration {
	if op.Operation == ast.Mutation && selects(op.SelectionSet, waiting, map[string]bool{}) {
		return delivery.MaxTimeout
	}
	return 0
}

// selects reports whether a selection set has the field, also within fragments.
func selects(set ast.SelectionSet, field string, visited map[string]bool) bool {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			if s.Name == field {
				return true
			}
		case *ast.InlineFragment:
			if selects(s.SelectionSet, field, visited) {
				return true
			}
		case *ast.FragmentSpread:
			if visited[s.Name] || s.Definition == nil {
				continue
			}
			visited[s.Name] = true
			if selects(s.Definition.SelectionSet, field, visited) {
				return true
			}
		}
	}
	return false
}
