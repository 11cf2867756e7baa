package transport_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"portalhooks/graph/transport"
)

const sdl = `
scalar Cursor
enum Color { RED GREEN }
input Choice @oneOf { number: Int text: String }
input Thing { count: Int! color: Color names: [String!] }
type Query {
  echo(int: Int, float: Float, string: String, boolean: Boolean, id: ID, color: Color,
    list: [Int!], choice: Choice, thing: Thing): String
  caller: String
  self: Query
  wait: String
  panics: String
  fails: String
  crashes: String
}
type Mutation { add(n: Int!): Int! ingest(n: [Int!]!): Int! }
type Subscription {
  count(to: Int!, after: Cursor): Count!
  forever: Count!
  broken: Count!
  refused: Count!
  crashes: Count!
  caller: String
  deliveryLog(after: Cursor): DeliveryLogItem!
}
type Count { n: Int! cursor: Cursor! }
union DeliveryLogItem = DeliveryLogEntry | DeliveryLogGap | DeliveryLogHeartbeat
type DeliveryLogEntry {
  cursor: Cursor! at: String! delivery: Delivery! attempt: Attempt state: String! replayed: Boolean!
}
type DeliveryLogGap { cursor: Cursor! missedSince: String! }
type DeliveryLogHeartbeat { cursor: Cursor! at: String! }
type Delivery { id: ID! attemptCount: Int! }
type Attempt { id: ID! number: Int! outcome: String! httpStatus: Int }
`

// callerKey is the context key of the caller from the tests' Authenticate.
type callerKey struct{}

func callerOf(ctx context.Context) string {
	name, _ := ctx.Value(callerKey{}).(string)
	return name
}

var errPrivate = errors.New("dial database: password hunter2 refused")

// resolver resolves one field.
type resolver func(ctx context.Context, args map[string]any) (any, error)

// source starts a subscription and returns its items one by one, nil at its end.
type source func(ctx context.Context, args map[string]any) (func() map[string]any, error)

// testSchema is an executable schema like the ones that gqlgen generates.
type testSchema struct {
	schema  *ast.Schema
	fields  map[string]resolver
	sources map[string]source
	waiting chan struct{} // receives when the field "wait" or the source "forever" has started
	ended   chan struct{} // receives when it has ended
}

func newTestSchema(tb testing.TB) *testSchema {
	tb.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "test.graphqls", Input: sdl})
	if err != nil {
		tb.Fatal(err)
	}
	s := &testSchema{schema: schema, waiting: make(chan struct{}, 1000), ended: make(chan struct{}, 1000)}
	s.fields = map[string]resolver{
		"echo":    func(_ context.Context, args map[string]any) (any, error) { return fmt.Sprint(args), nil },
		"caller":  func(ctx context.Context, _ map[string]any) (any, error) { return callerOf(ctx), nil },
		"self":    func(context.Context, map[string]any) (any, error) { return map[string]any{"__typename": "Query"}, nil },
		"fails":   func(context.Context, map[string]any) (any, error) { return nil, errPrivate },
		"panics":  func(context.Context, map[string]any) (any, error) { panic("resolver") },
		"add":     func(_ context.Context, args map[string]any) (any, error) { return args["n"], nil },
		"ingest":  func(context.Context, map[string]any) (any, error) { return 1, nil },
		"__type":  func(context.Context, map[string]any) (any, error) { return nil, nil },
		"wait":    s.wait,
		"crashes": func(context.Context, map[string]any) (any, error) { return nil, nil },
	}
	s.sources = map[string]source{
		"count":       countTo,
		"forever":     s.forever,
		"broken":      broken,
		"refused":     func(context.Context, map[string]any) (func() map[string]any, error) { return nil, errPrivate },
		"crashes":     func(context.Context, map[string]any) (func() map[string]any, error) { panic("source") },
		"deliveryLog": deliveryLog,
	}
	return s
}

func (s *testSchema) wait(ctx context.Context, _ map[string]any) (any, error) {
	s.waiting <- struct{}{}
	<-ctx.Done()
	s.ended <- struct{}{}
	return nil, ctx.Err()
}

// forever yields one item and then blocks until it is stopped.
func (s *testSchema) forever(ctx context.Context, _ map[string]any) (func() map[string]any, error) {
	started := false
	return func() map[string]any {
		if !started {
			started = true
			return count(1)
		}
		s.waiting <- struct{}{}
		<-ctx.Done()
		s.ended <- struct{}{}
		return nil
	}, nil
}

func count(n int) map[string]any {
	return map[string]any{"__typename": "Count", "n": n, "cursor": fmt.Sprintf("c%d", n)}
}

func countTo(ctx context.Context, args map[string]any) (func() map[string]any, error) {
	to, _ := strconv.Atoi(fmt.Sprint(args["to"]))
	n, err := cursorOf(ctx, args)
	return func() map[string]any {
		if n >= to {
			return nil
		}
		n++
		return count(n)
	}, err
}

func cursorOf(ctx context.Context, args map[string]any) (int, error) {
	after, _ := args["after"].(string)
	after = cmp.Or(transport.LastEventID(ctx), after)
	if after == "" {
		return 0, nil
	}
	return strconv.Atoi(strings.TrimPrefix(after, "c"))
}

// deliveryLog yields a heartbeat before every entry, and entries without end.
func deliveryLog(ctx context.Context, args map[string]any) (func() map[string]any, error) {
	n, err := cursorOf(ctx, args)
	heartbeat := false
	return func() map[string]any {
		if ctx.Err() != nil {
			return nil
		}
		if heartbeat = !heartbeat; heartbeat {
			return map[string]any{"__typename": "DeliveryLogHeartbeat", "cursor": fmt.Sprintf("c%d", n), "at": ""}
		}
		n++
		return map[string]any{
			"__typename": "DeliveryLogEntry", "cursor": fmt.Sprintf("c%d", n), "at": "", "state": "DELIVERED",
			"replayed": true, "delivery": map[string]any{"__typename": "Delivery", "id": "d", "attemptCount": 1},
		}
	}, err
}

func (s *testSchema) Schema() *ast.Schema { return s.schema }

func (s *testSchema) Complexity(
	context.Context, string, string, int, map[string]any,
) (int, bool) {
	return 0, false
}

func (s *testSchema) Exec(ctx context.Context) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	if op.Operation.Operation == ast.Subscription {
		return s.subscribe(ctx, op)
	}
	return s.once(op)
}

func (s *testSchema) once(op *graphql.OperationContext) graphql.ResponseHandler {
	done := false
	return func(ctx context.Context) *graphql.Response {
		if done {
			return nil
		}
		done = true
		root := map[string]any{"__typename": "Query"}
		if op.Operation.Operation == ast.Mutation {
			root = map[string]any{"__typename": "Mutation"}
		}
		data, err := json.Marshal(s.object(ctx, op, root, op.Operation.SelectionSet))
		if err != nil {
			panic(err)
		}
		return &graphql.Response{Data: data}
	}
}

func (s *testSchema) subscribe(ctx context.Context, op *graphql.OperationContext) graphql.ResponseHandler {
	field := graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Subscription"})[0]
	next, err := s.sources[field.Name](ctx, field.ArgumentMap(op.Variables))
	if err != nil {
		graphql.AddError(ctx, err)
		return nil
	}
	var buf bytes.Buffer // shared by all responses, as in generated code
	return func(ctx context.Context) *graphql.Response {
		item := next()
		if item == nil {
			return nil
		}
		buf.Reset()
		err := json.NewEncoder(&buf).Encode(map[string]any{field.Alias: s.object(ctx, op, item, field.Selections)})
		if err != nil {
			panic(err)
		}
		return &graphql.Response{Data: bytes.TrimSpace(buf.Bytes())}
	}
}

func (s *testSchema) object(
	ctx context.Context, op *graphql.OperationContext, value map[string]any, set ast.SelectionSet,
) map[string]any {
	name := value["__typename"].(string)
	result := map[string]any{}
	for _, field := range graphql.CollectFields(op, set, []string{name}) {
		if field.Name == "crashes" {
			panic("outside of the resolvers")
		}
		result[field.Alias] = s.field(ctx, op, value, field)
	}
	return result
}

func (s *testSchema) field(
	ctx context.Context, op *graphql.OperationContext, value map[string]any, field graphql.CollectedField,
) (result any) {
	defer func() {
		if v := recover(); v != nil && field.Name == "panics" {
			graphql.AddError(ctx, op.Recover(ctx, v))
		} else if v != nil {
			panic(v)
		}
	}()
	result, known := value[field.Name]
	if !known && strings.HasPrefix(field.Name, "__") && op.DisableIntrospection {
		graphql.AddError(ctx, gqlerror.Errorf("introspection disabled"))
		return nil
	}
	if resolve := s.fields[field.Name]; !known && resolve != nil {
		var err error
		if result, err = resolve(ctx, field.ArgumentMap(op.Variables)); err != nil {
			graphql.AddError(ctx, err)
			return nil
		}
	}
	if object, ok := result.(map[string]any); ok {
		return s.object(ctx, op, maps.Clone(object), field.Selections)
	}
	return result
}

// broken yields one item and then ends with an error.
func broken(ctx context.Context, _ map[string]any) (func() map[string]any, error) {
	n := 0
	return func() map[string]any {
		if n++; n == 1 {
			return count(n)
		}
		transport.EndWithError(ctx, refusal("UNAVAILABLE"))
		return nil
	}, nil
}
