package transport

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"portalhooks/graph/limits"
)

// The codes that this package itself puts into extensions.code. Resolvers
// have more.
const (
	CodeBadInput        = limits.CodeBadInput // the request is not valid GraphQL, or not as the schema asks
	CodeLimit           = limits.CodeLimit    // the request is too large, too slow, or one too many
	CodeUnauthenticated = "UNAUTHENTICATED"   // the credentials are missing, wrong or expired
	CodeForbidden       = "FORBIDDEN"         // this web page may not call
	CodeUnavailable     = "UNAVAILABLE"       // the server is stopping; try again
	CodeInternal        = "INTERNAL"          // the server's own fault
)

// What an answer may carry at most: 300 conflicting fields once made 11 MB.
const (
	maxErrors       = 10
	maxMessageBytes = 1000
	maxPathBytes    = 100
)

// presenter returns the presenter of Options that bring none: errors with a
// code are shown as they are; any other is logged, and shown as INTERNAL with
// nothing more.
func presenter(logger *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		e, ok := errors.AsType[*gqlerror.Error](err)
		if ok && codeOf(e) != "" {
			return e
		}
		if !errors.Is(err, context.Canceled) {
			logger.ErrorContext(ctx, "answer a GraphQL operation", "err", err, "request", RequestID(ctx))
		}
		shown := Internal(ctx)
		if shown.Path = graphql.GetPath(ctx); ok && e.Path != nil {
			shown.Path = e.Path
		}
		return shown
	}
}

func logPanic(logger *slog.Logger) graphql.RecoverFunc {
	return func(ctx context.Context, v any) error {
		logger.ErrorContext(ctx, "panic in a GraphQL operation", "panic", v, "request", RequestID(ctx),
			"stack", string(debug.Stack()))
		return Internal(ctx)
	}
}

// Internal is what a client sees of a fault that is the server's own: where to
// find it in the log.
func Internal(ctx context.Context) *gqlerror.Error {
	shown := coded(CodeInternal, "Something went wrong on the server. Its log has more under this request id.")
	shown.Extensions["requestId"] = RequestID(ctx)
	return shown
}

func coded(code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": code}}
}

// later marks an error of which a second later nothing may be left.
func later(e *gqlerror.Error) *gqlerror.Error {
	e.Extensions[retryAfter] = 1
	return e
}

// retryAfter is the key among an error's extensions of the seconds after which
// the same request may be answered.
const retryAfter = "retryAfter"

func codeOf(e *gqlerror.Error) string {
	code, _ := e.Extensions["code"].(string)
	return code
}

// withOurCode replaces the codes of gqlgen and its extensions by ours. What
// fails before execution without a code is the request's fault.
func withOurCode(e *gqlerror.Error) *gqlerror.Error {
	code := codeOf(e)
	switch code {
	case errcode.ParseFailed, errcode.ValidationFailed, "":
		code = CodeBadInput
	}
	ours := *e
	ours.Extensions = map[string]any{}
	maps.Copy(ours.Extensions, e.Extensions)
	ours.Extensions["code"] = code
	return &ours
}

// fit cuts a list of errors down to what an answer may carry. Without help,
// it also drops gqlparser's suggestions, which give the schema away.
func fit(errs gqlerror.List, help bool) gqlerror.List {
	if len(errs) == 0 {
		return nil
	}
	fitted := make(gqlerror.List, 0, min(len(errs), maxErrors))
	for _, e := range errs[:min(len(errs), maxErrors)] {
		short := *e
		if !help {
			short.Message, _, _ = strings.Cut(short.Message, " Did you mean ")
		}
		short.Message = cut(short.Message, maxMessageBytes)
		short.Path = fitPath(e.Path)
		fitted = append(fitted, &short)
	}
	return fitted
}

// fitPath shortens the names in a path: those of unknown input fields come
// from the request.
func fitPath(path ast.Path) ast.Path {
	for i, element := range path {
		name, ok := element.(ast.PathName)
		if !ok || len(name) <= maxPathBytes {
			continue
		}
		short := append(ast.Path(nil), path...)
		short[i] = ast.PathName(cut(string(name), maxPathBytes))
		return fitPath(short)
	}
	return path
}

// cut shortens s to about n bytes, at a rune's boundary.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n -= len("…"); n > 0 && !utf8.RuneStart(s[n]); n-- {
	}
	return s[:n] + "…"
}

// statusOf returns the HTTP status of a request that was refused with e.
func statusOf(e *gqlerror.Error) int {
	switch codeOf(e) {
	case CodeLimit:
		if e.Extensions[retryAfter] != nil {
			return http.StatusTooManyRequests
		}
	case CodeUnauthenticated:
		return http.StatusUnauthorized
	case CodeForbidden:
		return http.StatusForbidden
	case CodeUnavailable:
		return http.StatusServiceUnavailable
	case CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}
