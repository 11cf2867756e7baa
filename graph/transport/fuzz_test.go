package transport

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func FuzzDecodeParams(f *testing.F) {
	for _, seed := range []string{
		`{"query": "{a}", "variables": {"a": [1, "x", null]}, "operationName": "A", "extensions": {}}`,
		`{"query": "{a}"} x`, `[{"query": "{a}"}]`, `{"\u0071uery": "{a}"}`, `{"QUERY": "{a}"}`, `{"query": "{`, `{"a":"\"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		params, refused := decodeParams(data)
		if (params == nil) == (refused == nil) {
			t.Fatalf("params %v and error %v", params, refused)
		}
		if refused != nil {
			if codeOf(refused) == "" || len(refused.Message) > 100 {
				t.Errorf("the refusal has no code or quotes the request: %v", refused)
			}
			return
		}
		// Other JSON decoders, such as a proxy's, must see the same query.
		var plain map[string]any
		if err := json.Unmarshal(data, &plain); err != nil {
			t.Fatalf("accepted, but not JSON: %v", err)
		}
		if plain["query"] != params.Query {
			t.Errorf("query %q, but others read %q", params.Query, plain["query"])
		}
	})
}

func FuzzDecodeMessage(f *testing.F) {
	for _, seed := range []string{
		`{"type": "connection_init", "payload": {"Authorization": "x"}}`, `{"type": "ping", "payload": null}`,
		`{"type": "subscribe", "id": "1", "payload": {"query": "{a}"}}`, `{"type": "complete", "id": 1}`,
		`{"type": "complete", "id": "\ud800"}`, `{"type": 1}`, `null`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, invalid := decodeMessage(data)
		if len(invalid) > 123 || !utf8.ValidString(invalid) {
			t.Errorf("the reason does not fit a close frame: %q", invalid)
		}
		if invalid != "" {
			return
		}
		if !json.Valid(pong(m)) {
			t.Errorf("the pong is not JSON: %s", pong(m))
		}
		if m.ID != nil && !json.Valid(complete(*m.ID)) {
			t.Errorf("the answer is not JSON: %s", complete(*m.ID))
		}
	})
}
