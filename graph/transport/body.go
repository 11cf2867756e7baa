package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// maxDepth is the maximum nesting depth of a request's JSON.
const maxDepth = 64

// request is the JSON form of a GraphQL request.
type request struct {
	Query         *string        `json:"query"`
	OperationName *string        `json:"operationName"`
	Variables     map[string]any `json:"variables"`
	Extensions    map[string]any `json:"extensions"`
}

func (r request) params() (*graphql.RawParams, *gqlerror.Error) {
	if r.Query == nil || strings.TrimSpace(*r.Query) == "" {
		return nil, coded(CodeBadInput, "The request has no query.")
	}
	params := &graphql.RawParams{Query: *r.Query, Variables: r.Variables, Extensions: r.Extensions}
	if r.OperationName != nil {
		params.OperationName = *r.OperationName
	}
	return params, nil
}

// decodeParams decodes a GraphQL request. Its errors never quote the body.
func decodeParams(data []byte) (*graphql.RawParams, *gqlerror.Error) {
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
	return r.params()
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
