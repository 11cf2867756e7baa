package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRender checks that no value changes the structure of a message: a template
// without errors renders to valid JSON with its own keys, types and lengths.
func FuzzRender(f *testing.F) {
	for _, source := range []string{
		`{"a":"#alert_name #{alert_name|slack}","b":[1.50,"#{workspaces|raw}",null]}`,
		`{"#alert_name":"##alert_name\\#event_id\u0023event_id","a":{"b":[[],{}]}}`,
		`"#{alert_name|trunc:3|markdown|urlquery|upper|lower|default:\"\\\"\n\"}"`,
		`["#{timestamp|date:\"2006-01-02\"}","#{alert_name|upper|raw}","#event_type_id"]`,
	} {
		f.Add(source, "x", `{"workspaces":[1,{"a":"b"}],"timestamp":"2026-01-01T00:00:00Z"}`)
		f.Add(source, "\"\\\u2028\xff\x00<&>🇪🇸e\u0301", `{"workspaces":"\ud800","event_type":[" ",null]}`)
	}
	f.Fuzz(func(t *testing.T, source, text, stored string) {
		tmpl, problems := Compile(source, testVocabulary(), Options{})
		if (tmpl == nil) != (saved(problems) == "error") {
			t.Fatalf("template is nil: %t, problems: %v", tmpl == nil, problems)
		}
		checkProblems(t, source, problems)
		if tmpl == nil {
			return
		}
		values, err := ParseValues([]byte(stored))
		if err != nil {
			values = Values{}
		}
		values = values.With(Text{"alert_name", text}, Text{"event_id", text})
		got, err := tmpl.Render(nil, values, 0)
		if errors.Is(err, ErrTooLarge) {
			return
		}
		if err != nil || len(got) > MaxMessage {
			t.Fatalf("%d bytes, error %v", len(got), err)
		}
		checkMessage(t, source, got)
		again, err := tmpl.Render(make([]byte, 0, 7), values, len(got))
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("second rendering: %s, %v, want %s", again, err, got)
		}
		if _, err = tmpl.Render(nil, values, len(got)-1); len(got) > 1 && !errors.Is(err, ErrTooLarge) {
			t.Fatalf("a limit of %d accepted %d bytes", len(got)-1, len(got))
		}
	})
}

func checkProblems(t *testing.T, source string, problems []Problem) {
	t.Helper()
	if len(problems) > MaxProblems {
		t.Fatalf("%d problems", len(problems))
	}
	lines := strings.Split(source, "\n")
	for _, p := range problems {
		if p.Line < 1 || p.Line > len(lines) || p.Column < 1 ||
			p.Column > utf8.RuneCountInString(lines[p.Line-1])+1 {
			t.Fatalf("%v is outside of %q", p, source)
		}
		if p.Message == "" || !utf8.ValidString(p.Message) {
			t.Fatalf("message %q", p.Message)
		}
	}
}

// checkMessage compares a message with its template by means of an independent JSON
// parser.
func checkMessage(t *testing.T, source string, message []byte) {
	t.Helper()
	const harmful = "\x00\x7f\u2028\u2029"
	if !utf8.Valid(message) || bytes.ContainsAny(message, harmful) && !strings.ContainsAny(source, harmful) {
		t.Fatalf("message %q has a character that should be escaped", message)
	}
	own := decoded(t, []byte(strings.TrimPrefix(source, byteOrderMark)))
	if got := decoded(t, message); !sameShape(own, got) {
		t.Fatalf("message %s does not have the structure of its template %s", message, source)
	}
}

func decoded(t *testing.T, source []byte) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	if err := d.Decode(&v); err != nil || !json.Valid(source) {
		t.Fatalf("%q is not JSON: %v", source, err)
	}
	return v
}

// sameShape reports whether the template own may render to got: both are equal
// except for strings with a "#".
func sameShape(own, got any) bool {
	switch own := own.(type) {
	case string:
		if !strings.Contains(own, "#") {
			return got == own
		}
		_, isText := got.(string)
		return isText || strings.HasPrefix(own, "#{") && strings.HasSuffix(own, "|raw}")
	case map[string]any:
		other, ok := got.(map[string]any)
		for key, value := range own {
			is, has := other[key]
			ok = ok && has && sameShape(value, is)
		}
		return ok && len(own) == len(other)
	case []any:
		other, ok := got.([]any)
		return ok && slices.EqualFunc(own, other, sameShape)
	}
	return got == own
}

// FuzzParseValues compares ParseValues with encoding/json, which treats invalid text
// the same except for NUL.
func FuzzParseValues(f *testing.F) {
	for _, source := range []string{
		`{}`, `[]`, `{"a":"b"}`, `{"a":1.50,"b":[ {"c":"\ud800\u0000\u003c"} ],"a":null,"\u0061":true}`,
		"{\"a\":\"\xff\",\"b\":{\"c\":\"\xc3\"}}", `{"a":-0e+1} `,
		`{"a":"\ud83d\ude00\/"}`, `{"a":01}`, `{"a":tru}`,
	} {
		f.Add([]byte(source))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		values, err := ParseValues(source)
		var want map[string]json.RawMessage
		accepted := json.Unmarshal(source, &want) == nil && want != nil
		if err != nil {
			if accepted && !strings.Contains(err.Error(), "too many levels") {
				t.Fatalf("%q: %v", source, err)
			}
			return
		}
		if !accepted {
			t.Fatalf("%q is accepted", source)
		}
		checkFields(t, values.fields, want)
	})
}

func checkFields(t *testing.T, fields []field, want map[string]json.RawMessage) {
	t.Helper()
	distinct := make(map[string]json.RawMessage)
	for name, value := range want {
		distinct[clean(name)] = value
	}
	if len(fields) != len(distinct) {
		t.Fatalf("%d fields, want %d", len(fields), len(distinct))
	}
	for i, f := range fields {
		if i > 0 && fields[i-1].name >= f.name {
			t.Fatalf("%q is not sorted after %q", f.name, fields[i-1].name)
		}
		if !utf8.ValidString(f.text) || strings.ContainsRune(f.text, 0) {
			t.Fatalf("text %q is not clean", f.text)
		}
		if len(distinct) == len(want) {
			checkField(t, f, distinct[f.name])
		}
	}
}

func checkField(t *testing.T, f field, raw json.RawMessage) {
	t.Helper()
	if raw = bytes.TrimSpace(raw); len(raw) == 0 {
		t.Fatalf("%q is not in the source", f.name)
	}
	switch raw[0] {
	case '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil || clean(text) != f.text || f.json || f.null {
			t.Fatalf("field = %+v, want the text %q, %v", f, text, err)
		}
	case 'n':
		if !f.null || f.text != "" {
			t.Fatalf("field = %+v, want null", f)
		}
	case '{', '[':
		var is, want any
		if err := json.Unmarshal([]byte(f.text), &is); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), `\u0000`) {
			return
		}
		if err := json.Unmarshal(raw, &want); err == nil && !reflect.DeepEqual(is, want) {
			t.Fatalf("%s is not %s", f.text, raw)
		}
	default:
		if f.text != string(raw) || !f.json {
			t.Fatalf("field = %+v, want %s", f, raw)
		}
	}
}

// FuzzCanonical checks that the canonical form is stable and compiles to a template
// with the same messages.
func FuzzCanonical(f *testing.F) {
	f.Add(`{"b":"\u0023alert_name #{alert_name|default:\"\u0022\\\\\"}","a":["\ud83d\ude00\/",1.0]}`)
	f.Add("\uFEFF[\"#\\u0061lert_name\\u000a#{event_id}\"]")
	f.Fuzz(func(t *testing.T, source string) {
		canonical, err := Canonical(source)
		tmpl, problems := Compile(source, testVocabulary(), Options{})
		if err != nil {
			if tmpl != nil {
				t.Fatalf("%q compiles but has no canonical form: %v", source, err)
			}
			return
		}
		if again, err := Canonical(canonical); err != nil || again != canonical {
			t.Fatalf("canonical of %q = %q, %v", canonical, again, err)
		}
		if len(canonical) > MaxTemplate {
			return // escaping a control character may have made it longer
		}
		other, otherProblems := Compile(canonical, testVocabulary(), Options{})
		if (tmpl == nil) != (other == nil) {
			t.Fatalf("problems of %q: %v, of its canonical form %q: %v", source, problems, canonical, otherProblems)
		}
		if tmpl == nil {
			return
		}
		values := Values{}.With(Text{"alert_name", "A"}, Text{"event_id", "<\n"})
		if a, b := rendered(t, tmpl, values), rendered(t, other, values); !reflect.DeepEqual(a, b) {
			t.Fatalf("%q renders to %v, its canonical form %q to %v", source, a, canonical, b)
		}
	})
}

func rendered(t *testing.T, tmpl *Template, values Values) any {
	t.Helper()
	message, err := tmpl.Render(nil, values, 8*MaxMessage)
	if errors.Is(err, ErrTooLarge) {
		return "too large"
	}
	return decoded(t, message)
}
