package model

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

func written(m graphql.Marshaler) string {
	var b bytes.Buffer
	m.MarshalGQL(&b)
	return b.String()
}

func TestMarshalTime(t *testing.T) {
	t.Parallel()
	madrid := time.FixedZone("", 3600)
	for name, tt := range map[string]struct {
		given time.Time
		want  string
	}{
		"zero is null":                {time.Time{}, `null`},
		"zero elsewhere is null":      {time.Time{}.In(madrid), `null`},
		"whole seconds":               {time.Date(2026, 1, 14, 9, 31, 7, 0, time.UTC), `"2026-01-14T09:31:07.000Z"`},
		"milliseconds":                {time.Date(2026, 1, 14, 9, 31, 7, 250e6, time.UTC), `"2026-01-14T09:31:07.250Z"`},
		"nanoseconds are cut":         {time.Date(2026, 1, 14, 9, 31, 7, 123456789, time.UTC), `"2026-01-14T09:31:07.123Z"`},
		"less than a millisecond":     {time.Date(2026, 1, 14, 9, 31, 7, 999_999, time.UTC), `"2026-01-14T09:31:07.000Z"`},
		"another zone is told in UTC": {time.Date(2026, 1, 1, 0, 30, 0, 0, madrid), `"2025-12-31T23:30:00.000Z"`},
	} {
		if got := written(MarshalTime(tt.given)); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

func TestUnmarshalTime(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 1, 14, 9, 31, 7, 123456789, time.UTC)
	for _, text := range []string{
		"2026-01-14T09:31:07.123456789Z", "2026-01-14T10:31:07.123456789+01:00", "2026-01-13T23:31:07.123456789-10:00",
	} {
		got, err := UnmarshalTime(text)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
	for name, v := range map[string]any{
		"empty": "", "a date": "2026-01-14", "no zone": "2026-01-14T09:31:07", "a space": "2026-01-14 09:31:07Z",
		"no such day": "2026-02-30T00:00:00Z", "leap second": "2026-12-31T23:59:60Z", "a number": json.Number("1768383067"),
		"seconds": 1768383067, "null": nil, "before the year 1": "0000-12-31T23:59:59Z", "words": "tomorrow",
	} {
		if got, err := UnmarshalTime(v); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		} else if strings.Contains(err.Error(), "parsing") {
			t.Errorf("%s: the error is for programmers: %v", name, err)
		}
	}
}

func TestJSONKeepsItsBytes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"b":1,"a":2}`, `{"n":12345678901234567890.1}`, `"<&>\u2028"`, `[ 1,  2 ]`, `{}`, `{"a":1,"a":2}`,
	} {
		if got := written(MarshalJSON(json.RawMessage(text))); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
	if got := written(MarshalJSON(nil)); got != "null" {
		t.Errorf("nothing: got %s, want null", got)
	}
}

func TestUnmarshalJSON(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		`{"a":"<b>&","n":1.50}`: map[string]any{"a": "<b>&", "n": json.Number("1.50")},
		`null`:                  nil, `[]`: []any{}, `"x"`: "x", `true`: true,
	} {
		got, err := UnmarshalJSON(v)
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
	if got, err := UnmarshalJSON(func() {}); err == nil {
		t.Errorf("a function: got %s, want an error", got)
	}
}

func TestCursor(t *testing.T) {
	t.Parallel()
	if got := written(MarshalCursor("")); got != "null" {
		t.Errorf("no cursor: got %s, want null", got)
	}
	if got := written(MarshalCursor(`a"b`)); got != `"a\"b"` {
		t.Errorf("got %s, want it quoted", got)
	}
	if got, err := UnmarshalCursor("abc"); err != nil || got != "abc" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, v := range []any{nil, 1, json.Number("1"), []any{"a"}, map[string]any{}} {
		if got, err := UnmarshalCursor(v); err == nil {
			t.Errorf("%v: got %q, want an error", v, got)
		}
	}
}

// The executor writes the place of a value into its error, so no two values have
// the same one.
func TestErrorsOfTimesAreNotShared(t *testing.T) {
	t.Parallel()
	_, first := UnmarshalTime(1)
	_, second := UnmarshalTime(1)
	if first == nil || first == second { //nolint:errorlint // identity is what matters
		t.Errorf("two values share the error %v", first)
	}
}
