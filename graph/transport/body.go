package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// The limits of a request's JSON.
const (
	maxDepth  = 64      // nested objects and lists
	maxValues = 250_000 // of any kind: a report on 25,000 devices has 200,000 and some
	// valueBytes is what a decoded value takes in memory, in the worst case.
	valueBytes = 256
)

// request is the JSON form of a GraphQL request.
type request struct {
	Query         *string         `json:"query"`
	OperationName *string         `json:"operationName"`
	Variables     json.RawMessage `json:"variables"`
	Extensions    map[string]any  `json:"extensions"`
}

// parameters are a request whose variables are not decoded yet.
type parameters struct {
	graphql.RawParams

	variables func() map[string]any // decodes them; nil if there are none
}

func (r request) parameters() (*parameters, *gqlerror.Error) {
	if r.Query == nil || strings.TrimSpace(*r.Query) == "" {
		return nil, coded(CodeBadInput, "The request has no query.")
	}
	p := &parameters{RawParams: graphql.RawParams{Query: *r.Query, Extensions: r.Extensions}}
	if r.OperationName != nil {
		p.OperationName = *r.OperationName
	}
	switch {
	case len(r.Variables) == 0 || string(r.Variables) == "null":
		return p, nil
	case r.Variables[0] != '{':
		return nil, coded(CodeBadInput, "The parameter variables must be an object.")
	}
	p.variables = func() map[string]any {
		var variables map[string]any
		d := json.NewDecoder(bytes.NewReader(r.Variables))
		d.UseNumber()
		_ = d.Decode(&variables) // can't fail: the syntax was checked with the rest of the request
		return variables
	}
	return p, nil
}

// freeBytes is the length of a body whose values need not be counted.
const freeBytes = 64 << 10

// decodeBody decodes the body of a request. Its variables are decoded when the
// document was found to use them, and in memory that is taken for them before.
func (h *Handler) decodeBody(
	ctx context.Context, data []byte, memory *reservation,
) (context.Context, *parameters, *gqlerror.Error) {
	values := 0
	if len(data) > freeBytes {
		var err *gqlerror.Error
		if values, err = count(data); err != nil {
			return nil, nil, err
		}
	}
	if direct, params := h.decodeDirect(ctx, data); params != nil {
		return direct, params, nil
	}
	if !memory.more(int64(values) * valueBytes) {
		return nil, nil, errNoMemory()
	}
	params, err := decodeParams(data)
	return ctx, params, err
}

// decodeParams decodes a GraphQL request. Its errors never quote the body.
func decodeParams(data []byte) (*parameters, *gqlerror.Error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, coded(CodeBadInput, "The request has no body.")
	}
	if bytes.TrimSpace(data)[0] == '[' {
		return nil, coded(CodeBadInput, "Batches are not supported: send one request at a time.")
	}
	var r request
	if err := decode(data, &r, "query", "operationName", "variables", "extensions"); err != nil {
		return nil, err
	}
	return r.parameters()
}

// decode decodes data, which must be exactly one JSON object, into v. Each of
// the names may occur once and is case-sensitive: encoding/json would accept
// "QUERY" for "query" and the last of two, which a proxy in front may not.
func decode(data []byte, v any, names ...string) *gqlerror.Error {
	if !utf8.Valid(data) {
		return coded(CodeBadInput, "The request is not valid UTF-8.")
	}
	if err := scan(data, names); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return decodeError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return coded(CodeBadInput, "The request has data after the JSON object.")
	}
	return nil
}

func decodeError(err error) *gqlerror.Error {
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field, _, _ := strings.Cut(mismatch.Field, ".")
		switch field {
		case "":
			return coded(CodeBadInput, "The request must be a JSON object.")
		case "variables", "extensions", "payload":
			return coded(CodeBadInput, "The parameter "+field+" must be an object.")
		}
		return coded(CodeBadInput, "The parameter "+field+" must be a string.")
	}
	return coded(CodeBadInput, "The request is not valid JSON.")
}

// count returns about how many values are in the JSON text, and refuses more than
// maxValues of them.
func count(data []byte) (int, *gqlerror.Error) {
	values := 1
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[', ',':
			if values++; values > maxValues {
				return 0, coded(CodeLimit, fmt.Sprintf("The JSON of the request has more than %d values.", maxValues))
			}
		case '"':
			i = stringEnd(data, i) - 1
		}
	}
	return values, nil
}

// scan walks over data once before it is decoded. It refuses nesting beyond
// maxDepth and ambiguous names in the outermost object.
func scan(data []byte, names []string) *gqlerror.Error {
	depth, seen := 0, map[string]bool{}
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth++; depth > maxDepth {
				return coded(CodeLimit, "The JSON of the request is nested too deeply.")
			}
		case '}', ']':
			depth--
		case '"':
			end := stringEnd(data, i)
			if depth == 1 && isKey(data[end:]) {
				if err := checkName(data[i:end], names, seen); err != nil {
					return err
				}
			}
			i = end - 1
		}
	}
	return nil
}

// stringEnd returns the index after the closing quote of the string at data[i].
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

func isKey(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

func checkName(quoted []byte, names []string, seen map[string]bool) *gqlerror.Error {
	var name string
	if json.Unmarshal(quoted, &name) != nil {
		return coded(CodeBadInput, "The request is not valid JSON.")
	}
	for _, known := range names {
		switch {
		case name == known && seen[known]:
			return coded(CodeBadInput, "The request has "+known+" twice.")
		case name == known:
			seen[known] = true
		case strings.EqualFold(name, known):
			return coded(CodeBadInput, "The name of the parameter "+known+" is case-sensitive.")
		}
	}
	return nil
}
