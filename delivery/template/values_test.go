package template

import (
	"strings"
	"testing"
)

func TestParseValuesRejects(t *testing.T) {
	nested := func(n int) string {
		return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	for name, tt := range map[string]struct{ source, want string }{
		"nothing":           {``, "offset 0: an object"},
		"null":              {`null`, "offset 0: an object"},
		"an array":          {`[]`, "offset 0: an object"},
		"no end":            {`{"a":1`, "offset 6: a comma or a closing bracket"},
		"a trailing comma":  {`{"a":1,}`, "offset 7: a key"},
		"more than one":     {`{} {}`, "offset 3: the end"},
		"no colon":          {`{"a" 1}`, "offset 5: a colon"},
		"no value":          {`{"a":}`, "offset 5: a value"},
		"a bare word":       {`{"a":nil}`, "offset 5: a value"},
		"a bad number":      {`{"a":01}`, "offset 5: a value"},
		"an open string":    {`{"a":"b`, "offset 7: a closing quote"},
		"a bad escape":      {`{"a":"\x"}`, "offset 6: invalid escape"},
		"a short escape":    {`{"a":"\u12"}`, "offset 6: invalid escape"},
		"a line break":      {"{\"a\":\"\n\"}", "offset 6: a control character"},
		"a bad nested key":  {`{"a":{b:1}}`, "offset 6: a key"},
		"a bad nested item": {`{"a":[1,]}`, "offset 8: a value"},
		"too many levels":   {nested(MaxDepth + 1), "too many levels"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseValues([]byte(tt.source))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
	mustValues(t, nested(MaxDepth))
}

func TestParseValuesCopiesItsInput(t *testing.T) {
	source := []byte(`{"alert_name":"before"}`)
	values := mustValues(t, string(source))
	parsed, err := ParseValues(source)
	if err != nil {
		t.Fatal(err)
	}
	copy(source, strings.Repeat("x", len(source)))
	tmpl := mustCompile(t, `"#alert_name"`, Options{})
	for _, v := range []Values{values, parsed} {
		if got, err := tmpl.Render(nil, v, 0); err != nil || string(got) != `"before"` {
			t.Errorf("message = %s, %v", got, err)
		}
	}
}

func TestWithOverridesWithoutChangingTheReceiver(t *testing.T) {
	tmpl := mustCompile(t, `"#event_id #webhook_id #webhook_name"`, Options{})
	event := mustValues(t, `{"event_id":"stored","webhook_id":null}`)
	one := event.With(Text{"event_id", "e"}, Text{"webhook_id", "1"})
	two := one.With(Text{"webhook_id", "2"}, Text{"webhook_name", "a\x00\xff"})
	for want, values := range map[string]Values{
		`"stored  "`:            event,
		`"e 1 "`:                one,
		"\"e 2 a\uFFFD\uFFFD\"": two,
		`"  "`:                  {},
	} {
		if got, err := tmpl.Render(nil, values, 0); err != nil || string(got) != want {
			t.Errorf("message = %s, %v, want %s", got, err, want)
		}
	}
}
