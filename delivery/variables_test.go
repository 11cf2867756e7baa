package delivery

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestFormatTime(t *testing.T) {
	madrid := time.FixedZone("", 3600)
	for want, at := range map[string]time.Time{
		"":                         {},
		"2026-01-14T09:31:07Z":     time.Date(2026, 1, 14, 10, 31, 7, 0, madrid),
		"2026-01-14T09:31:07.120Z": time.Date(2026, 1, 14, 9, 31, 7, 120_456_789, time.UTC),
		"0990-01-01T00:00:00Z":     time.Date(990, 1, 1, 0, 0, 0, 999, time.UTC),
	} {
		if got := FormatTime(at); got != want {
			t.Errorf("%s is written %q, want %q", at, got, want)
		}
	}
}

func TestVariablesAreValidJSONWhateverIsReported(t *testing.T) {
	for _, text := range []string{
		"", `"\`, "\x00\x01\x1f\x7f", "\xff\xfe", "a\tb\r\n", "é😀\u2028",
		"\xed\xa0\x80",
	} {
		var v Variables
		v.Text("b", text)
		v.Number("a", 1)
		encoded := v.Encode()
		var got map[string]any
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Errorf("%q: %v in %s", text, err, encoded)
			continue
		}
		want := strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
		if text == "\xff\xfe" || text == "\xed\xa0\x80" {
			want = strings.Repeat("\uFFFD", len(text)) // one for each bad byte
		}
		if value, _ := got["b"].(string); value != want {
			t.Errorf("%q is read back as %q, want %q", text, value, want)
		}
	}
}

func TestEncodeSortsAndTakesTheLastValue(t *testing.T) {
	var v Variables
	v.Text("b", "1")
	v.Text("a", "x")
	v.Text("b", "2")
	if got := string(v.Encode()); got != `{"a":"x","b":"2"}` {
		t.Errorf("encoded %s", got)
	}
}
