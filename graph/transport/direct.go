package transport

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A directRequest is a request as decodeDirect accepts it.
type directRequest struct {
	Query         string                    `json:"query"`
	OperationName string                    `json:"operationName"`
	Variables     map[string]jsontext.Value `json:"variables"`
}

// decodeDirect decodes a request whose only variable one of Options.Decoders
// accepts, and returns the context to execute it in. For every other request
// params is nil: decodeParams decides about those.
func (h *Handler) decodeDirect(
	ctx context.Context, data []byte,
) (_ context.Context, params *parameters) {
	var r directRequest
	if len(h.opts.Decoders) == 0 || json.Unmarshal(data, &r, json.RejectUnknownMembers(true)) != nil {
		return ctx, nil
	}
	direct := h.guard.Direct(r.Query)
	if direct == nil || len(r.Variables) != 1 {
		return ctx, nil
	}
	text, given := r.Variables[direct.Variable]
	decode := h.opts.Decoders[direct.Type]
	if !given || decode == nil {
		return ctx, nil
	}
	value, ok := decode(text)
	if !ok {
		return ctx, nil
	}
	params = &parameters{RawParams: graphql.RawParams{Query: r.Query, OperationName: r.OperationName}}
	return direct.With(ctx, value), params
}
