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
	"portalhooks/graph/transport"
)

var errPrivate = errors.New("dial 10.1.2.3:5432: password hunter2 refused")

// presented returns what a client sees of an error of a resolver, and what is
// logged. The executor puts the field's path around every error.
func presented(err error) (shown *gqlerror.Error, logged string) {
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
		"not found":      {delivery.Errorf(delivery.NotFound, "", "None."), "NOT_FOUND", "", "None."},
		"forbidden":      {delivery.Errorf(delivery.Forbidden, "", "No."), "FORBIDDEN", "", "No."},
		"nobody":         {delivery.Errorf(delivery.Unauthenticated, "", "Who?"), "UNAUTHENTICATED", "", "Who?"},
		"limit":          {delivery.Errorf(delivery.LimitExceeded, "first", "Much."), "LIMIT_EXCEEDED", "first", "Much."},
		"unavailable":    {delivery.Errorf(delivery.Unavailable, "", "Later."), "UNAVAILABLE", "", "Later."},
		"invalid input":  {delivery.Errorf(delivery.Invalid, "after", "Bad."), "BAD_USER_INPUT", "after", "Bad."},
		"missing input":  {delivery.Errorf(delivery.Required, "id", "Which?"), "BAD_USER_INPUT", "id", "Which?"},
		"a bad template": {delivery.Errorf(delivery.TemplateInvalid, "", "Oh."), "BAD_USER_INPUT", "", "Oh."},
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
		shown, logged := presented(tt.err)
		field, _ := shown.Extensions["field"].(string)
		if shown.Extensions["code"] != tt.code || field != tt.field || shown.Message != tt.message {
			t.Errorf("%s: got %q %v, want %q %s %s",
				name, shown.Message, shown.Extensions, tt.message, tt.code, tt.field)
		}
		if shown.Path.String() != "organization" || len(shown.Locations) != 1 {
			t.Errorf("%s: is at %v, %v; want the field's path and place", name, shown.Path, shown.Locations)
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
		shown, logged := presented(err)
		id, _ := shown.Extensions["requestId"].(string)
		if shown.Extensions["code"] != "INTERNAL" || len(shown.Extensions) != 2 || id == "" {
			t.Errorf("%s: extensions %v, want INTERNAL and a request id", name, shown.Extensions)
		}
		if strings.Contains(shown.Message, "hunter2") || strings.Contains(shown.Error(), "hunter2") {
			t.Errorf("%s: shows %q", name, shown.Message)
		}
		if !strings.Contains(logged, "hunter2") || !strings.Contains(logged, id) {
			t.Errorf("%s: the log has %q, want the error and the id %s", name, logged, id)
		}
	}
}

func TestEndsAreNoFaults(t *testing.T) {
	t.Parallel()
	shown, logged := presented(fmt.Errorf("list: %w", context.Canceled))
	if logged != "" || shown.Extensions["code"] != "INTERNAL" {
		t.Errorf("a caller who left: got %v, logged %q", shown, logged)
	}
	shown, logged = presented(fmt.Errorf("list: %w", context.DeadlineExceeded))
	if logged != "" || shown.Extensions["code"] != "UNAVAILABLE" {
		t.Errorf("out of time: got %v, logged %q, want UNAVAILABLE", shown, logged)
	}
}

func TestErrorsWithACodeStay(t *testing.T) {
	t.Parallel()
	err := &gqlerror.Error{Message: "Too much.", Extensions: map[string]any{"code": "LIMIT_EXCEEDED"}}
	ctx := graphql.WithPathContext(context.Background(), graphql.NewPathWithField("viewer"))
	shown := (&presenter{slog.New(slog.DiscardHandler)}).present(ctx, err)
	if shown.Message != err.Message || shown.Extensions["code"] != "LIMIT_EXCEEDED" ||
		shown.Path.String() != "viewer" {
		t.Errorf("got %v at %v", shown, shown.Path)
	}
}

func TestUserErrors(t *testing.T) {
	t.Parallel()
	r := &Resolver{}
	invalid := &delivery.Error{
		Code: delivery.TemplateInvalid, Field: "template", Message: "Oh.", Line: 2, Column: 7,
	}
	required := delivery.Errorf(delivery.Required, "", "Which?")
	shown, err := r.userErrors(t.Context(), fmt.Errorf("create: %w", delivery.Errors{invalid, required}))
	if err != nil || len(shown) != 2 {
		t.Fatalf("got %v, %v; want two", shown, err)
	}
	first, second := shown[0], shown[1]
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
			t.Errorf("%v is shown as a mistake in the input", err)
		}
	}
	if shown, err := r.userErrors(t.Context(), nil); err != nil || shown == nil || len(shown) > 0 {
		t.Errorf("without an error: got %v, %v; want an empty list", shown, err)
	}
}
