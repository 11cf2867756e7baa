package limits_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"

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

// ownerKey is the context key of whose share a document takes; documents of
// unknown callers are not cached.
type ownerKey struct{}

func ownerOf(ctx context.Context) (string, bool) {
	owner, ok := ctx.Value(ownerKey{}).(string)
	return owner, ok
}

// createAs prepares a query of six nodes that an owner sends.
func createAs(t *testing.T, exec *executor.Executor, owner, name string) {
	t.Helper()
	ctx := graphql.StartOperationTrace(context.WithValue(t.Context(), ownerKey{}, owner))
	_, errs := exec.CreateOperationContext(ctx, &graphql.RawParams{Query: queryNamed(name)})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
}

func queryNamed(name string) string { return "query " + name + " {a b: a c: a d: a}" }

func wantCached(t *testing.T, guard *limits.Guard, want map[string]bool) {
	t.Helper()
	for name, want := range want {
		if _, got := guard.Get(t.Context(), queryNamed(name)); got != want {
			t.Errorf("%s is cached: %t, want %t", name, got, want)
		}
	}
}

// The documents of one owner make room for each other, not those of others.
func TestAnOwnerHasAPartOfTheCache(t *testing.T) {
	exec, guard := newExecutor(t, limits.Limits{CachedNodes: 8 * 12})
	guard.Owner = ownerOf
	createAs(t, exec, "acme", "first")
	createAs(t, exec, "acme", "second")
	createAs(t, exec, "other", "theirs")
	guard.Get(t.Context(), queryNamed("first"))
	createAs(t, exec, "acme", "third")
	wantCached(t, guard, map[string]bool{"first": true, "second": false, "third": true, "theirs": true})
}

// When all of the cache is taken, what was not asked for longest goes.
func TestTheCacheForgetsWhatWasNotAskedForLongest(t *testing.T) {
	exec, guard := newExecutor(t, limits.Limits{CachedNodes: 48})
	guard.Owner = ownerOf
	for i := range 8 {
		createAs(t, exec, fmt.Sprint(i), fmt.Sprint("q", i))
	}
	guard.Get(t.Context(), queryNamed("q0"))
	createAs(t, exec, "another", "late")
	wantCached(t, guard, map[string]bool{"q0": true, "q1": false, "q2": true, "q7": true, "late": true})
}

// Documents of unauthenticated callers, and those that are refused for their
// complexity or their variables, take no memory.
func TestOnlyAcceptedDocumentsOfKnownCallersAreCached(t *testing.T) {
	exec, guard := newExecutor(t, limits.Limits{Complexity: 100})
	guard.Owner = ownerOf
	known := context.WithValue(t.Context(), ownerKey{}, "acme")
	for name, tt := range map[string]struct {
		ctx   context.Context
		query string
		want  bool
	}{
		"accepted":              {known, "{a}", true},
		"unauthenticated":       {t.Context(), "{a b: a}", false},
		"too complex":           {known, "{echo(int: 101)}", false},
		"a variable is missing": {known, "query($v: Int!) {echo(int: $v)}", false},
	} {
		_, _ = exec.CreateOperationContext(graphql.StartOperationTrace(tt.ctx), &graphql.RawParams{Query: tt.query})
		if _, got := guard.Get(t.Context(), tt.query); got != tt.want {
			t.Errorf("%s: cached %t, want %t", name, got, tt.want)
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
