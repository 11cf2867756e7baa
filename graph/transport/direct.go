package transport

import (
	"context"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"portalhooks/graph/strict"
)

// readDirect reads a request whose only variable one of Options.Readers takes,
// and returns the context to execute it in. For any other request, and any that
// is not perfectly right, params is nil: decodeParams judges those.
func (h *Handler) readDirect(
	ctx context.Context, data []byte,
) (_ context.Context, params *graphql.RawParams) {
	if len(h.opts.Readers) == 0 || !utf8.Valid(data) {
		return ctx, nil
	}
	params = &graphql.RawParams{}
	variables, named := "", false
	r := strict.New(string(data))
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch {
		case name == "query" && params.Query == "":
			if params.Query = r.Text(); params.Query == "" {
				r.Fail()
			}
		case name == "variables" && variables == "":
			variables = r.Raw()
		case name == "operationName" && !named:
			params.OperationName, named = r.TextOrNull(), true
		default:
			r.Fail()
		}
	}
	direct := h.guard.Direct(params.Query)
	if !r.Done() || direct == nil {
		return ctx, nil
	}
	value, ok := h.readVariable(variables, direct.Variable, direct.Type)
	if !ok {
		return ctx, nil
	}
	return direct.With(ctx, value), params
}

// readVariable reads the only one of the variables.
func (h *Handler) readVariable(variables, name, typ string) (value any, ok bool) {
	read := h.opts.Readers[typ]
	r := strict.New(variables)
	r.Object()
	if given, more := r.Member(); !more || given != name || read == nil {
		return nil, false
	}
	json := r.Raw()
	if _, more := r.Member(); more || !r.Done() {
		return nil, false
	}
	return read(json)
}
