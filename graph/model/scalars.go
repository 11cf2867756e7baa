package model

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"portalhooks/delivery"
)

// timeLayout is RFC 3339 with milliseconds, always three digits of them: times
// sort as text.
const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalTime encodes t as RFC 3339 in UTC with milliseconds; the zero time is
// null.
func MarshalTime(t time.Time) graphql.Marshaler {
	if t.IsZero() {
		return graphql.Null
	}
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, strconv.Quote(t.UTC().Format(timeLayout)))
	})
}

// errNoTime is a new error each time: the executor writes the path into it.
func errNoTime() error {
	return badInput("A Time is a string such as \"2026-01-14T09:31:07.250Z\".")
}

// UnmarshalTime decodes RFC 3339 with any offset to UTC. Errors are
// BAD_USER_INPUT.
func UnmarshalTime(v any) (time.Time, error) {
	text, ok := v.(string)
	if !ok {
		return time.Time{}, errNoTime()
	}
	t, ok := ParseTime(text)
	if !ok {
		return time.Time{}, badInput(
			"This is not an RFC 3339 time with a zone, such as \"2026-01-14T09:31:07.250Z\".",
		)
	}
	return t, nil
}

// ParseTime parses RFC 3339 with any offset and returns the time in UTC.
func ParseTime(text string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1 {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// A ReportTime is a time in a report. One that can't be read is
// [delivery.UnreadableTime], which rejects its report alone; a Time that can't be
// read refuses the whole request.
type ReportTime struct{ time.Time }

// ParseReportTime parses RFC 3339 with any offset and returns the time in UTC.
func ParseReportTime(text string) ReportTime {
	if t, ok := ParseTime(text); ok {
		return ReportTime{t}
	}
	return ReportTime{delivery.UnreadableTime}
}

// UnmarshalGQL implements [graphql.Unmarshaler]. Values that are not strings are
// BAD_USER_INPUT.
func (t *ReportTime) UnmarshalGQL(v any) error {
	text, ok := v.(string)
	if !ok {
		return errNoTime()
	}
	*t = ParseReportTime(text)
	return nil
}

// MarshalGQL implements [graphql.Marshaler].
func (t ReportTime) MarshalGQL(w io.Writer) { MarshalTime(t.Time).MarshalGQL(w) }

// MarshalJSON encodes JSON text unchanged; empty text is null.
func MarshalJSON(v json.RawMessage) graphql.Marshaler {
	if len(v) == 0 {
		return graphql.Null
	}
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(v) })
}

// UnmarshalJSON returns v as compact JSON text. Errors are BAD_USER_INPUT.
func UnmarshalJSON(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, badInput("This is not a JSON value.")
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// MarshalCursor encodes a cursor; the empty cursor is null.
func MarshalCursor(c string) graphql.Marshaler {
	if c == "" {
		return graphql.Null
	}
	return graphql.MarshalString(c)
}

// UnmarshalCursor decodes a cursor. Errors are BAD_USER_INPUT.
func UnmarshalCursor(v any) (string, error) {
	c, ok := v.(string)
	if !ok {
		return "", badInput("A Cursor is a string that this API returned.")
	}
	return c, nil
}

// badInput returns a BAD_USER_INPUT error for a value from a client.
func badInput(message string) error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": "BAD_USER_INPUT"}}
}

// text returns nil, which is null in the API, for the empty string.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
