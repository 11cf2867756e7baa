package limits_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"portalhooks/graph/limits"
)

const sdl = `
scalar JSON
enum Color { RED GREEN }
input Choice @oneOf { number: Int text: String }
input Thing { count: Int! color: Color names: [String!] inner: Thing }
type Query {
  echo(int: Int, float: Float, string: String, boolean: Boolean, id: ID, color: Color, json: JSON,
    list: [Int!], lists: [[Int!]!], choice: Choice, thing: Thing): String
  self: Query
  a: Int
}
type Mutation { ingest(n: Int): Int other: Int }
type Subscription { count(to: Int): Count! other: Int }
type Count { n: Int }
`

// schemaOnly is an executable schema that is not executed.
type schemaOnly struct{ schema *ast.Schema }

func (s schemaOnly) Schema() *ast.Schema { return s.schema }

// Complexity returns the argument int of echo.
func (schemaOnly) Complexity(_ context.Context, _, field string, _ int, args map[string]any) (int, bool) {
	cost, ok := args["int"].(int64)
	return int(cost), ok && field == "echo"
}

func (schemaOnly) Exec(context.Context) graphql.ResponseHandler { return nil }

func newExecutor(tb testing.TB, l limits.Limits) (*executor.Executor, *limits.Guard) {
	tb.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "test.graphqls", Input: sdl})
	if err != nil {
		tb.Fatal(err)
	}
	guard := limits.New(schemaOnly{schema}, l)
	exec := executor.New(guard.Executable())
	exec.SetQueryCache(guard)
	exec.SetParserTokenLimit(guard.TokenLimit())
	exec.SetDefaultRulesFn(guard.Rules)
	exec.Use(guard)
	return exec, guard
}

func create(exec *executor.Executor, query string, variables map[string]any) gqlerror.List {
	_, errs := exec.CreateOperationContext(
		graphql.StartOperationTrace(context.Background()),
		&graphql.RawParams{Query: query, Variables: variables},
	)
	return errs
}

// doubling is a document of n fragments, each of which spreads the next one
// twice: 2^n fields in 30 n bytes.
func doubling(n int) string {
	var doc strings.Builder
	doc.WriteString("{ ...f0 }")
	for i := range n {
		fmt.Fprintf(&doc, " fragment f%d on Query { ...f%d self { ...f%d } }", i, i+1, i+1)
	}
	fmt.Fprintf(&doc, " fragment f%d on Query { a }", n)
	return doc.String()
}

func nested(depth int) string {
	return "{" + strings.Repeat("self {", depth-1) + "a" + strings.Repeat("}", depth-1) + "}"
}

func numbered(n int, format string) string {
	var fields strings.Builder
	for i := range n {
		fmt.Fprintf(&fields, format, i)
	}
	return fields.String()
}

func TestDocumentsAreMeasuredBeforeTheyAreValidated(t *testing.T) {
	exec, _ := newExecutor(t, limits.Limits{OnlyOnce: []string{"ingest"}})
	for name, tt := range map[string]struct {
		query string
		want  string // part of the message; "" when the document is fine
	}{
		"16 KiB are fine":                  {query: "{a}" + strings.Repeat(" ", 16<<10-3)},
		"one byte more is not":             {query: "{a}" + strings.Repeat(" ", 16<<10-2), want: "16384 bytes"},
		"too many tokens":                  {query: "{" + strings.Repeat("a ", 1000) + "}", want: "1000 tokens"},
		"depth 15 is fine":                 {query: nested(15)},
		"depth 16 is not":                  {query: nested(16), want: "deeper than 15"},
		"depth counts through fragments":   {query: "{self{...f}} fragment f on Query " + nested(15), want: "deeper than 15"},
		"depth counts in inline fragments": {query: "{... {self{... on Query" + nested(15) + "}}}", want: "deeper than 15"},
		"500 fields are fine":              {query: "{self{" + strings.Repeat("a ", 499) + "}}"},
		"501 fields are not":               {query: "{self{" + strings.Repeat("a ", 500) + "}}", want: "500 fields"},
		"fields of all operations count": {
			query: "query A {self{" + strings.Repeat("a ", 250) + "}}" +
				"query B {self{" + strings.Repeat("a ", 250) + "}}",
			want: "500 fields",
		},
		"fields of unused fragments count": {
			query: "{a} fragment f on Query {" + strings.Repeat("a ", 501) + "}", want: "500 fields",
		},
		"doubling fragments":             {query: doubling(12), want: "fields"},
		"doubling fragments do not hang": {query: doubling(60), want: "more than"},
		"20 root fields are fine":        {query: "{" + numbered(20, "r%d: a ") + "}"},
		"21 root fields are not":         {query: "{" + numbered(21, "r%d: a ") + "}", want: "20 root fields"},
		"root fields hide in fragments": {
			query: "{...f ... on Query {" + numbered(10, "r%d: a ") + "}} fragment f on Query {" +
				numbered(11, "s%d: a ") + "}",
			want: "20 root fields",
		},
		"50 aliases are fine": {query: "{self{" + numbered(50, "r%d: a ") + "}}"},
		"51 aliases are not":  {query: "{self{" + numbered(51, "r%d: a ") + "}}", want: "50 aliases"},
		"one ingest":          {query: "mutation {ingest(n: 1) other}"},
		"two ingests":         {query: "mutation {ingest(n: 1) b: ingest(n: 2)}", want: "ingest more than once"},
		"two ingests, one in a fragment": {
			query: "mutation {ingest(n: 1) ...f} fragment f on Mutation {b: ingest(n: 2)}",
			want:  "ingest more than once",
		},
	} {
		t.Run(name, func(t *testing.T) {
			errs := create(exec, tt.query, nil)
			// An unused fragment is an error of validation, which comes later.
			if tt.want == "" && len(errs) > 0 {
				t.Fatalf("refused: %v", errs)
			}
			if tt.want == "" {
				return
			}
			if len(errs) != 1 || !strings.Contains(errs[0].Message, tt.want) {
				t.Fatalf("errors %v, want one with %q", errs, tt.want)
			}
			if got := errs[0].Extensions["code"]; got != limits.CodeLimit {
				t.Errorf("code %v, want %s", got, limits.CodeLimit)
			}
		})
	}
}

func TestBrokenDocumentsAreTheCallersFault(t *testing.T) {
	exec, _ := newExecutor(t, limits.Limits{})
	for name, query := range map[string]string{
		"syntax":                     "{",
		"no operation":               "fragment f on Query {a}",
		"nothing":                    "",
		"a fragment spreads itself":  "{...f} fragment f on Query {...f}",
		"fragments in a circle":      "{...f} fragment f on Query {self{...g}} fragment g on Query {...f a}",
		"a fragment that is missing": "{...f}",
		"a deep list":                "{echo(json: " + strings.Repeat("[", 990) + ")}",
	} {
		t.Run(name, func(t *testing.T) {
			if errs := create(exec, query, nil); len(errs) == 0 {
				t.Error("accepted")
			}
		})
	}
}

// More than one stream can't be told apart by the executor, which would answer
// INTERNAL.
func TestASubscriptionHasOneField(t *testing.T) {
	exec, _ := newExecutor(t, limits.Limits{})
	for query, fine := range map[string]bool{
		`subscription {count {n}}`:                                                      true,
		`subscription {a: count {n}}`:                                                   true,
		`subscription {count {n} count {again: n}}`:                                     true,
		`subscription {...f} fragment f on Subscription {count {n}}`:                    true,
		`subscription {a: count {n} b: count {n}}`:                                      false,
		`subscription {count {n} other}`:                                                false,
		`subscription {count {n} ...f} fragment f on Subscription {b: count {n}}`:       false,
		`subscription {count {n} ... on Subscription {b: count {n}}}`:                   false,
		`subscription {__typename}`:                                                     false,
		`subscription {count {n} __typename}`:                                           false,
		`subscription($s: Boolean!) {count @skip(if: $s) {n}}`:                          false,
		`subscription {... @include(if: false) {count {n}}}`:                            false,
		`subscription {...f @include(if: true)} fragment f on Subscription {count {n}}`: false,
		`query {echo} subscription {count {n} b: count {n}}`:                            false,
	} {
		t.Run(query, func(t *testing.T) {
			errs := create(exec, query, map[string]any{"s": true})
			if fine != (len(errs) == 0) {
				t.Errorf("errors %v, want fine = %t", errs, fine)
			}
		})
	}
}

func TestLiteralsAreCheckedStrictly(t *testing.T) {
	exec, _ := newExecutor(t, limits.Limits{Complexity: math.MaxInt32})
	for literal, fine := range map[string]bool{
		`int: 2147483647`:                  true,
		`int: 2147483648`:                  false,
		`int: -2147483649`:                 false,
		`int: "5"`:                         false,
		`int: 5.0`:                         false,
		`list: [1, 2147483648]`:            false,
		`list: 7`:                          true,
		`float: 5`:                         true,
		`float: "5"`:                       false,
		`float: 1e999`:                     false,
		`string: 5`:                        false,
		`boolean: "true"`:                  false,
		`id: 5`:                            true,
		`id: 5.5`:                          false,
		`color: RED`:                       true,
		`color: red`:                       false,
		`color: "RED"`:                     false,
		`json: 99999999999999999999`:       false,
		`json: {a: [1.5, 99999999999]}`:    true,
		`choice: {number: 1}`:              true,
		`choice: {number: 1, text: "a"}`:   false,
		`choice: {number: null}`:           false,
		`choice: {}`:                       false,
		`thing: {count: 1}`:                true,
		`thing: {count: 4294967296}`:       false,
		`thing: {count: 1, unknown: 1}`:    false,
		`thing: {count: 1, count: 2}`:      false,
		`thing: {count: 1, color: "RED"}`:  false,
		`thing: {count: 1, names: ["a"]}`:  true,
		`thing: {count: 1, names: [1]}`:    false,
		`thing: {count: 1, names: [null]}`: false,
	} {
		t.Run(literal, func(t *testing.T) {
			errs := create(exec, "{echo("+literal+")}", nil)
			if fine != (len(errs) == 0) {
				t.Errorf("errors %v, want fine = %t", errs, fine)
			}
		})
	}
}

func TestOneOfTakesOnlyVariablesThatAreNeverNull(t *testing.T) {
	exec, _ := newExecutor(t, limits.Limits{})
	if errs := create(exec, "query($n: Int) {echo(choice: {number: $n})}", nil); len(errs) == 0 {
		t.Error("a variable that may be null was accepted")
	}
	variables := map[string]any{"n": int64(1)}
	if errs := create(exec, "query($n: Int!) {echo(choice: {number: $n})}", variables); len(errs) != 0 {
		t.Errorf("a variable that is never null was refused: %v", errs)
	}
}

// The introspection query of GraphiQL, code generators and the console is the
// largest query that must be accepted.
func TestTheUsualIntrospectionQueryPasses(t *testing.T) {
	exec, _ := newExecutor(t, limits.Limits{})
	query, err := os.ReadFile("testdata/introspection.graphql")
	if err != nil {
		t.Fatal(err)
	}
	if errs := create(exec, string(query), nil); len(errs) > 0 {
		t.Error(errs)
	}
}

func TestTheCostOfAnOperationDependsOnItsVariables(t *testing.T) {
	exec, _ := newExecutor(t, limits.Limits{})
	const query = "query($n: Int) {echo(int: $n)}"
	if errs := create(exec, query, map[string]any{"n": int64(5000)}); len(errs) > 0 {
		t.Errorf("cost 5,000 was refused: %v", errs)
	}
	errs := create(exec, query, map[string]any{"n": int64(5001)})
	if len(errs) != 1 || errs[0].Extensions["code"] != limits.CodeLimit {
		t.Errorf("cost 5,001: errors %v", errs)
	}
}
