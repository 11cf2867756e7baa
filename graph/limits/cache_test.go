package limits_test

import (
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"portalhooks/graph/limits"
)

func TestOnlyShortValidDocumentsAreCached(t *testing.T) {
	exec, guard := newExecutor(t, limits.Limits{})
	long := "{a}" + strings.Repeat(" ", 4<<10)
	for query, want := range map[string]bool{"{a}": true, "{b}": false, long: false} {
		_ = create(exec, query, nil)
		if _, got := guard.Get(t.Context(), query); got != want {
			t.Errorf("%.10s of %d bytes cached: %t, want %t", query, len(query), got, want)
		}
	}
}

func TestTheCacheForgetsWhatWasNotAskedForLongest(t *testing.T) {
	_, guard := newExecutor(t, limits.Limits{CachedQueries: 2})
	guard.Add(t.Context(), "a", &ast.QueryDocument{})
	guard.Add(t.Context(), "b", &ast.QueryDocument{})
	guard.Get(t.Context(), "a")
	guard.Add(t.Context(), "b", &ast.QueryDocument{})
	guard.Get(t.Context(), "a")
	guard.Add(t.Context(), "c", &ast.QueryDocument{})
	for query, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if _, got := guard.Get(t.Context(), query); got != want {
			t.Errorf("%s is cached: %t, want %t", query, got, want)
		}
	}
}

// BenchmarkCreate measures the preparation of an operation.
func BenchmarkCreate(b *testing.B) {
	query := "query($v: Thing) {echo(thing: $v) self {a self {a}}}"
	for name, cached := range map[string]int{"cached": 1000, "not cached": -1} {
		b.Run(name, func(b *testing.B) {
			exec, _ := newExecutor(b, limits.Limits{CachedBytes: cached})
			for b.Loop() {
				errs := create(exec, query, map[string]any{"v": map[string]any{"count": int64(1)}})
				if len(errs) > 0 {
					b.Fatal(errs)
				}
			}
		})
	}
}
