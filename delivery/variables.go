package delivery

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Names of variables that more than one place sets.
const (
	VarEventType   = "event_type"
	varEventTypeID = "event_type_id"
	varEventID     = "event_id"
	varGroupID     = "group_id"
	varWebhookID   = "webhook_id"
	varWebhookName = "webhook_name"
	varDeliveryID  = "delivery_id"
	VarOrgID       = "organization_id"
	VarOrgName     = "organization_name"
	VarTimestamp   = "timestamp"
	VarResult      = "operation_result"
)

// Variables collects the values of an event's variables. Empty values are left
// out: a template can tell them from text by a filter.
type Variables []variable

type variable struct {
	name, value string
	raw         bool // value is JSON, not text
}

// Text adds a text; an empty one is left out.
func (v *Variables) Text(name, value string) {
	if value != "" {
		*v = append(*v, variable{name: name, value: value})
	}
}

// Time adds a time; the zero time is left out.
func (v *Variables) Time(name string, at time.Time) { v.Text(name, FormatTime(at)) }

// Number adds an integer.
func (v *Variables) Number(name string, n int) {
	*v = append(*v, variable{name: name, value: strconv.Itoa(n), raw: true})
}

// JSON adds a value that is JSON already.
func (v *Variables) JSON(name string, value []byte) {
	*v = append(*v, variable{name: name, value: string(value), raw: true})
}

// Encode returns the variables as a compact JSON object, sorted by name. A
// value that was set twice counts as it was set last. What is added in the
// order of names need not be sorted, which costs more than the rest.
func (v Variables) Encode() json.RawMessage {
	size, sorted := 2, true
	for i := range v {
		size += len(v[i].name) + len(v[i].value) + len(`"":"",`)
		sorted = sorted && (i == 0 || v[i-1].name <= v[i].name)
	}
	if !sorted {
		slices.SortStableFunc(v, func(a, b variable) int { return cmp.Compare(a.name, b.name) })
	}
	dst := append(make([]byte, 0, size+size/8), '{')
	for i := range v {
		one := &v[i]
		if i+1 < len(v) && v[i+1].name == one.name {
			continue
		}
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), one.name...), '"', ':')
		if one.raw {
			dst = append(dst, one.value...)
		} else {
			dst = AppendJSONText(dst, one.value)
		}
	}
	return append(dst, '}')
}

// AppendJSONText appends text as a JSON string. Bytes that are not UTF-8 and
// NUL, which PostgreSQL refuses, become U+FFFD.
func AppendJSONText(dst []byte, text string) []byte {
	dst = append(dst, '"')
	done := 0
	for i := 0; i < len(text); {
		b := text[i]
		if b >= ' ' && b < utf8.RuneSelf && b != '"' && b != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r >= utf8.RuneSelf && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		dst = append(dst, text[done:i]...)
		dst = appendJSONRune(dst, r)
		i += size
		done = i
	}
	return append(append(dst, text[done:]...), '"')
}

func appendJSONRune(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case 0, utf8.RuneError:
		return utf8.AppendRune(dst, utf8.RuneError)
	}
	return append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
}

// Storable reports whether every database can keep text: PostgreSQL refuses NUL
// and bytes that are not UTF-8.
func Storable(text string) bool {
	return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}

// Clean makes text storable: an event must not be lost for a character in a
// device's name.
func Clean(text string) string {
	if Storable(text) {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// FormatTime writes a time as RFC 3339 in UTC, with milliseconds where there
// are any. The zero time is empty.
func FormatTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	var room [len("2006-01-02T15:04:05.000Z") + 1]byte // and one for a year like 10000
	text := at.UTC().AppendFormat(room[:0], time.RFC3339)
	if ms := at.Nanosecond() / int(time.Millisecond); ms > 0 {
		text = append(text[:len(text)-1], '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
	}
	return string(text)
}
