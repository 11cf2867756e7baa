package graph

import (
	"maps"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"portalhooks/graph/limits"
)

// inField returns e with the path of the field in the response and, if an
// argument of the field is at fault, with the path of the input. The executor
// appends the one to the other where it decodes arguments.
func inField(field *graphql.FieldContext, e *gqlerror.Error, path ast.Path) *gqlerror.Error {
	out := *e
	if out.Path == nil {
		out.Path = path
	}
	if field == nil || field.Field.Field == nil {
		return &out
	}
	if depth := len(field.Path()); len(out.Path) > depth && takes(field, out.Path[depth]) {
		return withInput(&out, limits.InputPathOf(out.Path[depth:]), out.Path[:depth])
	}
	if steps, ok := out.Extensions[limits.InputPath].([]any); ok && len(steps) > 0 {
		return withInput(&out, fromArgument(field, steps), out.Path)
	}
	return &out
}

func withInput(e *gqlerror.Error, input []any, path ast.Path) *gqlerror.Error {
	e.Extensions = maps.Clone(e.Extensions)
	e.Extensions[limits.InputPath], e.Path = input, path
	return e
}

// takes reports whether a step of a path is the name of an argument of the field.
func takes(field *graphql.FieldContext, step ast.PathElement) bool {
	name, ok := step.(ast.PathName)
	return ok && field.Field.Definition.Arguments.ForName(string(name)) != nil
}

// fromArgument returns a path of the service, which knows inputs and no arguments,
// from the argument of the field on.
func fromArgument(field *graphql.FieldContext, steps []any) []any {
	first, _ := steps[0].(string)
	arguments := field.Field.Definition.Arguments
	switch {
	case arguments.ForName(first) != nil:
		return steps
	case arguments.ForName("input") != nil:
		return append([]any{"input"}, steps...)
	case first == "organizationId" && arguments.ForName("id") != nil:
		return []any{"id"}
	}
	return steps
}

// stepsOf returns the steps of a path such as "filter.webhookIds.0".
func stepsOf(field string) []any {
	var steps []any
	for step := range strings.SplitSeq(field, ".") {
		if i, err := strconv.Atoi(step); err == nil {
			steps = append(steps, i)
		} else {
			steps = append(steps, step)
		}
	}
	return steps
}
