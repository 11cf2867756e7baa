package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"portalhooks/delivery"
	"portalhooks/graph/limits"
	"portalhooks/graph/transport"
)

var errPrivate = errors.New("dial 10.1.2.3:5432: password hunter2 refused")

// presented returns the error that a client gets for an error of a resolver, and
// the log. The executor wraps every error with the field's path.
func presented(err error) (out *gqlerror.Error, logged string) {
	var log bytes.Buffer
	p := &presenter{slog.New(slog.NewTextHandler(&log, nil))}
	wrapped := gqlerror.WrapPath(ast.Path{ast.PathName("organization")}, err)
	wrapped.Locations = []gqlerror.Location{{Line: 1, Column: 3}}
	return p.present(transport.WithRequestID(context.Background()), wrapped), log.String()
}

func TestExpectedFailuresAreShown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err         error
		code, field string
		message     string
	}{
		"not found":       {delivery.Errorf(delivery.NotFound, "", "None."), "NOT_FOUND", "", "None."},
		"forbidden":       {delivery.Errorf(delivery.Forbidden, "", "No."), "FORBIDDEN", "", "No."},
		"unauthenticated": {delivery.Errorf(delivery.Unauthenticated, "", "Who?"), "UNAUTHENTICATED", "", "Who?"},
		"limit":           {delivery.Errorf(delivery.LimitExceeded, "first", "Much."), "LIMIT_EXCEEDED", "first", "Much."},
		"unavailable":     {delivery.Errorf(delivery.Unavailable, "", "Later."), "UNAVAILABLE", "", "Later."},
		"invalid input":   {delivery.Errorf(delivery.Invalid, "after", "Bad."), "BAD_USER_INPUT", "after", "Bad."},
		"missing input":   {delivery.Errorf(delivery.Required, "id", "Which?"), "BAD_USER_INPUT", "id", "Which?"},
		"a bad template":  {delivery.Errorf(delivery.TemplateInvalid, "", "Oh."), "BAD_USER_INPUT", "", "Oh."},
		"several": {
			delivery.Errors{
				delivery.Errorf(delivery.Invalid, "a", "One."), delivery.Errorf(delivery.Invalid, "b", "Two."),
			},
			"BAD_USER_INPUT", "a", "One. Two.",
		},
		"wrapped": {
			fmt.Errorf("list %s: %w", "secret", delivery.Errorf(delivery.Invalid, "after", "Bad.")),
			"BAD_USER_INPUT", "after", "Bad.",
		},
	} {
		out, logged := presented(tt.err)
		var field string
		if steps, ok := out.Extensions[limits.InputPath].([]any); ok {
			field = fmt.Sprint(steps...)
		}
		if out.Extensions["code"] != tt.code || field != tt.field || out.Message != tt.message {
			t.Errorf("%s: got %q %v, want %q %s %s",
				name, out.Message, out.Extensions, tt.message, tt.code, tt.field)
		}
		if out.Path.String() != "organization" || len(out.Locations) != 1 {
			t.Errorf("%s: is at %v, %v; want the path and the location of the field", name, out.Path, out.Locations)
		}
		if logged != "" {
			t.Errorf("%s: was logged: %s", name, logged)
		}
	}
}

func TestPrivateFailuresAreHidden(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"plain":                     errPrivate,
		"wrapped":                   fmt.Errorf("list webhooks: %w", errPrivate),
		"with a path of the driver": gqlerror.WrapPath(nil, errPrivate),
	} {
		out, logged := presented(err)
		id, _ := out.Extensions["requestId"].(string)
		if out.Extensions["code"] != "INTERNAL" || len(out.Extensions) != 2 || id == "" {
			t.Errorf("%s: extensions %v, want INTERNAL and a request id", name, out.Extensions)
		}
		if strings.Contains(out.Message, "hunter2") || strings.Contains(out.Error(), "hunter2") {
			t.Errorf("%s: presented as %q", name, out.Message)
		}
		if !strings.Contains(logged, "hunter2") || !strings.Contains(logged, id) {
			t.Errorf("%s: the log has %q, want the error and the id %s", name, logged, id)
		}
	}
}

func TestEndsAreNoFaults(t *testing.T) {
	t.Parallel()
	out, logged := presented(fmt.Errorf("list: %w", context.Canceled))
	if logged != "" || out.Extensions["code"] != "INTERNAL" {
		t.Errorf("a caller who left: got %v, logged %q", out, logged)
	}
	out, logged = presented(fmt.Errorf("list: %w", context.DeadlineExceeded))
	if logged != "" || out.Extensions["code"] != "UNAVAILABLE" {
		t.Errorf("out of time: got %v, logged %q, want UNAVAILABLE", out, logged)
	}
}

func TestErrorsWithACodeStay(t *testing.T) {
	t.Parallel()
	err := &gqlerror.Error{Message: "Too much.", Extensions: map[string]any{"code": "LIMIT_EXCEEDED"}}
	ctx := graphql.WithPathContext(context.Background(), graphql.NewPathWithField("viewer"))
	out := (&presenter{slog.New(slog.DiscardHandler)}).present(ctx, err)
	if out.Message != err.Message || out.Extensions["code"] != "LIMIT_EXCEEDED" ||
		out.Path.String() != "viewer" {
		t.Errorf("got %v at %v", out, out.Path)
	}
}

func TestUserErrors(t *testing.T) {
	t.Parallel()
	r := &Resolver{}
	invalid := &delivery.Error{
		Code: delivery.TemplateInvalid, Field: "template", Message: "Oh.", Line: 2, Column: 7,
	}
	required := delivery.Errorf(delivery.Required, "", "Which?")
	out, err := r.userErrors(t.Context(), fmt.Errorf("create: %w", delivery.Errors{invalid, required}))
	if err != nil || len(out) != 2 {
		t.Fatalf("got %v, %v; want two", out, err)
	}
	first, second := out[0], out[1]
	if first.Code != delivery.TemplateInvalid || *first.Field != "template" ||
		*first.Line != 2 || *first.Column != 7 {
		t.Errorf("got %+v", first)
	}
	if second.Field != nil || second.Line != nil || second.Message != "Which?" {
		t.Errorf("got %+v, want no field and no line", second)
	}
	for _, err := range []error{
		errPrivate, delivery.Errorf(delivery.Forbidden, "", "No."),
		delivery.Errorf(delivery.Unauthenticated, "", "Who?"), delivery.Errorf(delivery.Unavailable, "", "Later."),
		delivery.Errors{required, delivery.Errorf(delivery.Forbidden, "", "No.")},
	} {
		if _, top := r.userErrors(t.Context(), err); !errors.Is(top, err) && top == nil {
			t.Errorf("%v is presented as an error in the input", err)
		}
	}
	if out, err := r.userErrors(t.Context(), nil); err != nil || out == nil || len(out) > 0 {
		t.Errorf("without an error: got %v, %v; want an empty list", out, err)
	}
}
