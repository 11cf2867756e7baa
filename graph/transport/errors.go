package transport

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"portalhooks/graph/limits"
)

// The codes that this package sets as extensions.code. Resolvers use further
// codes.
const (
	CodeBadInput        = limits.CodeBadInput // the request is not valid GraphQL, or does not match the schema
	CodeLimit           = limits.CodeLimit    // a size, time or rate limit is exceeded
	CodeUnauthenticated = "UNAUTHENTICATED"   // the credentials are missing, wrong or expired
	CodeForbidden       = "FORBIDDEN"         // the origin, or the caller, is not allowed
	CodeUnavailable     = "UNAVAILABLE"       // the server is shutting down or overloaded; try again
	CodeInternal        = "INTERNAL"          // an internal error
)

// Limits on the errors of a response: 300 conflicting fields once made 11 MB.
const (
	maxErrors       = 10
	maxMessageBytes = 1000
	maxPathBytes    = 100
)

// presenter returns the default ErrorPresenter: it passes on errors with a code,
// logs all others, and presents those as INTERNAL without details.
func presenter(logger *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		e, ok := errors.AsType[*gqlerror.Error](err)
		if ok && codeOf(e) != "" {
			return e
		}
		if !errors.Is(err, context.Canceled) {
			logger.ErrorContext(ctx, "answer a GraphQL operation", "err", err, "request", RequestID(ctx))
		}
		presented := Internal(ctx)
		if presented.Path = graphql.GetPath(ctx); ok && e.Path != nil {
			presented.Path = e.Path
		}
		return presented
	}
}

func logPanic(logger *slog.Logger) graphql.RecoverFunc {
	return func(ctx context.Context, v any) error {
		logger.ErrorContext(ctx, "panic in a GraphQL operation", "panic", v, "request", RequestID(ctx),
			"stack", string(debug.Stack()))
		return Internal(ctx)
	}
}

// Internal returns the INTERNAL error that a client gets for an internal error.
// It has the request id, which finds the error in the log.
func Internal(ctx context.Context) *gqlerror.Error {
	presented := coded(CodeInternal, "Internal server error. The server's log has details for this request id.")
	presented.Extensions["requestId"] = RequestID(ctx)
	return presented
}

func coded(code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": code}}
}

// later marks an error as transient: the client may retry after a second.
func later(e *gqlerror.Error) *gqlerror.Error {
	e.Extensions[retryAfter] = 1
	return e
}

// retryAfter is the key of the extension that holds the number of seconds after
// which the client may retry.
const retryAfter = "retryAfter"

func codeOf(e *gqlerror.Error) string {
	code, _ := e.Extensions["code"].(string)
	return code
}

// withOurCode replaces the codes of gqlgen and its extensions with those of this
// package. An error before execution without a code is BAD_USER_INPUT.
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

// beforeExecution returns the error of a request that is not executed as clients
// get it: a path would be that of a field in the response, and there is none.
func (h *Handler) beforeExecution(e *gqlerror.Error, params *parameters) *gqlerror.Error {
	ours := withOurCode(e)
	const variable = ast.PathName("variable") // how gqlparser begins the path of an input
	inVariables := len(e.Path) > 1 && e.Path[0] == variable
	if inVariables || noOperation.MatchString(e.Message) {
		raw := params.RawParams
		if params.variables != nil {
			raw.Variables = params.variables()
		}
		if explained := h.guard.Explain(&raw); explained != nil {
			return explained
		}
	}
	if inVariables {
		ours.Extensions[limits.InputPath] = limits.InputPathOf(e.Path[1:])
	}
	ours.Path = nil
	return ours
}

// noOperation matches gqlgen's error about an operation name, for which there is
// no type.
var noOperation = regexp.MustCompile(`^operation .* not found$`)

// fit truncates a list of errors to the limits of a response. Unless suggestions
// is set, it also removes gqlparser's suggestions, which disclose the schema.
func fit(errs gqlerror.List, suggestions bool) gqlerror.List {
	if len(errs) == 0 {
		return nil
	}
	fitted := make(gqlerror.List, 0, min(len(errs), maxErrors))
	for _, e := range errs[:min(len(errs), maxErrors)] {
		short := *e
		if !suggestions {
			short.Message, _, _ = strings.Cut(short.Message, " Did you mean ")
		}
		short.Message = cut(short.Message, maxMessageBytes)
		short.Path = fitPath(e.Path)
		fitted = append(fitted, &short)
	}
	return fitted
}

// fitPath truncates the names in a path: the names of unknown input fields come
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

// cut truncates s to about n bytes, at a rune boundary.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n -= len("…"); n > 0 && !utf8.RuneStart(s[n]); n-- {
	}
	return s[:n] + "…"
}

// statusOf returns the HTTP status of a request that is refused with e.
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
