package limits_test

import (
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"portalhooks/graph/limits"
)

// Variables are decoded only for a document that passes the limits and has some.
func TestVariablesAreDecodedWhenTheyAreUsed(t *testing.T) {
	exec, _ := newExecutor(t, limits.Limits{})
	for name, tt := range map[string]struct {
		query string
		want  int
	}{
		"none in the document": {"{a}", 0},
		"some":                 {"query($v: Int) {echo(int: $v)}", 1},
		"nested too deeply":    {"query($v: Int) " + nested(16), 0},
		"not a document":       {"query($v: Int) {", 0},
	} {
		decoded := 0
		ctx := limits.WithVariables(graphql.StartOperationTrace(t.Context()), func() map[string]any {
			decoded++
			return map[string]any{"v": int64(1)}
		})
		op, errs := exec.CreateOperationContext(ctx, &graphql.RawParams{Query: tt.query})
		if decoded != tt.want {
			t.Errorf("%s: decoded %d times, want %d", name, decoded, tt.want)
		}
		if tt.want == 1 && (len(errs) > 0 || op.Variables["v"] == nil) {
			t.Errorf("%s: variables %v, %v", name, op.Variables, errs)
		}
	}
}
