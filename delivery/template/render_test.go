package template

import (
	"errors"
	"strings"
	"testing"
	"time"
)

type renderCase struct{ source, values, want string }

func checkRender(t *testing.T, cases map[string]renderCase) {
	t.Helper()
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := mustCompile(t, tt.source, Options{}).Render(nil, mustValues(t, tt.values), 0)
			if err != nil || string(got) != tt.want {
				t.Errorf("message = %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestRender(t *testing.T) {
	checkRender(t, map[string]renderCase{
		"literal bytes are kept": {
			"{ \"z\" : 1.50,\n\t\"a\":[12345678901234567890 , true,null], \"k\\u0041\":\"\\u0041\\/\" }\n", `{}`,
			"{ \"z\" : 1.50,\n\t\"a\":[12345678901234567890 , true,null], \"k\\u0041\":\"\\u0041\\/\" }\n",
		},
		"byte order mark is dropped": {"\uFEFF\"#alert_name\"", `{"alert_name":"x"}`, `"x"`},
		"adjacent variables":         {`"#alert_name#event_id"`, `{"alert_name":"a","event_id":"b"}`, `"ab"`},
		"longest name": {
			`"#workspaces #workspaces_count #workspace_id"`,
			`{"workspaces":[1],"workspaces_count":2,"workspace_id":"3"}`, `"[1] 2 3"`,
		},
		"number keeps its digits": {
			`"#workspaces_count"`,
			`{"workspaces_count":-12345678901234567890.10E+05}`,
			`"-12345678901234567890.10E+05"`,
		},
		"booleans": {
			`"#alert_name#event_id"`, `{"alert_name":true,"event_id":false}`, `"truefalse"`,
		},
		"null and absent": {`"[#alert_name#event_id]"`, `{"alert_name":null}`, `"[]"`},
		"object as text": {
			`"#workspaces"`, `{"workspaces": [ {"a" : "<\"\u00e9"} ] }`, `"[{\"a\":\"\u003c\\\"é\"}]"`,
		},
		"values are not scanned": {
			`"#alert_name"`, `{"alert_name":"#event_id #{event_id}","event_id":"S"}`, `"#event_id #{event_id}"`,
		},
		"keys are not expanded": {
			`{"#alert_name":"#alert_name"}`, `{"alert_name":"x"}`, `{"#alert_name":"x"}`,
		},
		"escaped variable":       {`"\u0023alert_name"`, `{"alert_name":"x"}`, `"\u0023alert_name"`},
		"##":                     {`"##alert_name"`, `{"alert_name":"x"}`, `"#x"`},
		"quotes and backslashes": {`"#alert_name"`, `{"alert_name":"\"\\\/"}`, `"\"\\/"`},
		"short escapes":          {`"#alert_name"`, `{"alert_name":"\b\f\n\r\t"}`, `"\b\f\n\r\t"`},
		"C0 and DEL": {
			`"#alert_name"`, `{"alert_name":"\u0001\u001f` + "\x7f" + `"}`, `"\u0001\u001f\u007f"`,
		},
		"markup": {`"#alert_name"`, `{"alert_name":"<b>&"}`, `"\u003cb\u003e\u0026"`},
		"line separators": {
			`"#alert_name"`, `{"alert_name":"` + "\u2028\u2029\u2027\u202a" + `"}`, `"\u2028\u2029` + "\u2027\u202a\"",
		},
		"NUL":       {`"#alert_name"`, `{"alert_name":"a\u0000b"}`, "\"a\uFFFDb\""},
		"bad UTF-8": {`"#alert_name"`, "{\"alert_name\":\"a\xff\xc3b\"}", "\"a\uFFFD\uFFFDb\""},
		"halves of pairs": {
			`"#alert_name"`, `{"alert_name":"\ud800\udc00\ud800x\udc00"}`, "\"\U00010000\uFFFDx\uFFFD\"",
		},
		"bad text inside a list": {
			`"#workspaces"`, "{\"workspaces\":[\"\\ud800\xff\\u0000\"]}", "\"[\\\"\uFFFD\uFFFD\uFFFD\\\"]\"",
		},
		"form": {`"#{alert_name}s"`, `{"alert_name":"x"}`, `"xs"`},
	})
}

func TestRenderRawAndOddValues(t *testing.T) {
	checkRender(t, map[string]renderCase{
		"raw number":     {`[ "#{workspaces_count|raw}" ]`, `{"workspaces_count":1.50}`, `[ 1.50 ]`},
		"raw boolean":    {`["#{workspaces_count|raw}"]`, `{"workspaces_count":true}`, `[true]`},
		"raw null":       {`["#{workspaces_count|raw}"]`, `{"workspaces_count":null}`, `[null]`},
		"raw absent":     {`["#{workspaces_count|raw}"]`, `{}`, `[null]`},
		"raw text":       {`["#{alert_name|raw}"]`, `{"alert_name":"a\"<b"}`, `["a\"\u003cb"]`},
		"raw empty text": {`["#{alert_name|raw}"]`, `{"alert_name":""}`, `[""]`},
		"raw list": {
			`["#{workspaces|raw}"]`,
			`{"workspaces":[{"a": "\u003c\"&\u2028\ud800"}, 1]}`,
			"[[{\"a\":\"\\u003c\\\"\\u0026\\u2028\uFFFD\"},1]]",
		},
		"raw of changed value":   {`["#{workspaces_count|trunc:1|raw}"]`, `{"workspaces_count":12}`, `["1"]`},
		"raw of defaulted value": {`["#{workspaces_count|default:\"0\"|raw}"]`, `{}`, `["0"]`},
		"raw with unused default": {
			`["#{workspaces_count|default:\"0\"|raw}"]`, `{"workspaces_count":7}`, `[7]`,
		},
		"empty value":             {`"#alert_name"`, `{"alert_name":""}`, `""`},
		"last of duplicate names": {`"#alert_name"`, `{"b":1,"alert_name":"x","a":2,"alert_name":"y"}`, `"y"`},
		"unsorted names": {
			`"#workspace_id #alert_name"`, `{"workspace_id":1,"z":0,"alert_name":"x"}`, `"1 x"`,
		},
		"escaped name":               {`"#alert_name"`, `{"\u0061lert_name":"x"}`, `"x"`},
		"unknown names are ignored":  {`"#alert_name"`, `{"zzz":"x"}`, `""`},
		"template without variables": {`[]`, `{"zzz":"x"}`, `[]`},
	})
}

func TestFilters(t *testing.T) {
	madrid, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		madrid = time.FixedZone("CET", 3600)
	}
	for name, tt := range map[string]struct{ filters, value, want string }{
		"default of empty":          {`default:\"–\"`, ``, `–`},
		"default of text":           {`default:\"–\"`, `x`, `x`},
		"default with quotes":       {`default:\"a \\\"b\\\" \\\\ \u0022 \u005c\"`, ``, `a \"b\" \\ \" \\`},
		"default with JSON escapes": {`default:\"a\n\u00e9\ud83d\ude00\/\"`, ``, `a\né😀/`},
		"default is not scanned":    {`default:\"#event_id #{event_id}|}\"`, ``, `#event_id #{event_id}|}`},
		"default of nothing":        {`default:\"\"`, ``, ``},
		"default then upper":        {`default:\"none\"|upper`, ``, `NONE`},
		"upper then default":        {`upper|default:\"none\"`, ``, `none`},
		"upper":                     {`upper`, `straße é`, `STRAßE É`},
		"lower":                     {`lower`, `ÀB`, `àb`},
		"urlquery":                  {`urlquery`, `a b&c=é/#`, `a+b%26c%3D%C3%A9%2F%23`},
		"slack":                     {`slack`, `<!channel> & "x"`, `\u0026lt;!channel\u0026gt; \u0026amp; \"x\"`},
		"markdown": {
			`markdown`,
			"[x](y) *a* _b_ `c` ~d~ <e> f|g \\",
			`\\[x\\](y) \\*a\\* \\_b\\_ \\` + "`c\\\\`" + ` \\~d\\~ \\\u003ce\\\u003e f\\|g \\\\`,
		},
		"markdown at line starts": {
			`markdown`, "# a\n - b\r+ c\n=\n12. d\n3) e", `\\# a\n \\- b\r\\+ c\n\\=\n12\\. d\n3\\) e`,
		},
		"markdown leaves names":      {`markdown`, "PC-1 #3 v1.2 (a+b=c)", `PC-1 #3 v1.2 (a+b=c)`},
		"trunc of short text":        {`trunc:3`, `abc`, `abc`},
		"trunc":                      {`trunc:3`, `abcd`, `abc`},
		"trunc counts characters":    {`trunc:3`, `éàüö`, `éàü`},
		"trunc keeps an accent":      {`trunc:3`, "abe\u0301d", `ab`},
		"trunc ends behind accent":   {`trunc:4`, "abe\u0301\u00f1", "abe\u0301"},
		"trunc keeps a family":       {`trunc:4`, "ab👩‍👩‍👧", `ab`},
		"trunc keeps a flag":         {`trunc:3`, "é🇪🇸🇫🇷", "é🇪🇸"},
		"trunc keeps CR LF":          {`trunc:2`, "a\r\nb", `a`},
		"trunc of one long grapheme": {`trunc:2`, "e" + strings.Repeat("\u0301", 9), "e\u0301"},
		"trunc far into a grapheme": {
			`trunc:200`, "e" + strings.Repeat("\u0301", 999), "e" + strings.Repeat("\u0301", 199),
		},
		"trunc far into wide text": {`trunc:100`, strings.Repeat("日", 200), strings.Repeat("日", 100)},
		"trunc then slack":         {`trunc:1|slack`, `<b>`, `\u0026lt;`},
		"date":                     {`date:\"2006-01-02 15:04\"`, `2026-07-01T22:30:00Z`, `2026-07-02 00:30`},
		"date with fraction":       {`date:\"05.000\"`, `2026-07-01T22:30:01.5+02:00`, `01.500`},
		"date of something else":   {`date:\"2006\"`, `yesterday`, `yesterday`},
		"date of empty":            {`date:\"2006\"|default:\"never\"`, ``, `never`},
		"date with text":           {`date:\"[02/01] \\\"15h\\\"\"`, `2026-01-01T00:00:00Z`, `[01/01] \"01h\"`},
	} {
		t.Run(name, func(t *testing.T) {
			tmpl := mustCompile(t, `"#{alert_name|`+tt.filters+`}"`, Options{TimeZone: madrid})
			got, err := tmpl.Render(nil, Values{}.With(Text{"alert_name", tt.value}), 0)
			if want := `"` + tt.want + `"`; err != nil || string(got) != want {
				t.Errorf("message = %s, %v, want %s", got, err, want)
			}
		})
	}
}

func TestDateIsInUTCWithoutATimeZone(t *testing.T) {
	tmpl := mustCompile(t, `"#{timestamp|date:\"15:04 MST\"}"`, Options{})
	got, err := tmpl.Render(nil, mustValues(t, `{"timestamp":"2026-07-01T22:30:00+02:00"}`), 0)
	if err != nil || string(got) != `"20:30 UTC"` {
		t.Errorf("message = %s, %v", got, err)
	}
}

func TestRenderLimit(t *testing.T) {
	for name, tt := range map[string]struct {
		source, value string
		limit         int
		want          error
	}{
		"exactly the limit":       {`"#alert_name"`, "12345678", 10, nil},
		"one more":                {`"#alert_name"`, "123456789", 10, ErrTooLarge},
		"one more by escapes":     {`"#alert_name"`, "12345\n\n", 10, ErrTooLarge},
		"only the tail too long":  {`"#alert_name 12345"`, "1234", 10, ErrTooLarge},
		"only literal text":       {`"1234567890"`, "", 10, ErrTooLarge},
		"raw text":                {`"#{alert_name|raw}"`, "12345678", 10, nil},
		"raw text too long":       {`"#{alert_name|raw}"`, "123456789", 10, ErrTooLarge},
		"the usual limit":         {`"#alert_name"`, strings.Repeat("x", MaxMessage-2), 0, nil},
		"above the usual limit":   {`"#alert_name"`, strings.Repeat("x", MaxMessage-1), 0, ErrTooLarge},
		"a limit above the usual": {`"#alert_name"`, strings.Repeat("x", MaxMessage), MaxMessage + 2, nil},
		"growing filters": {
			`"#{alert_name` + strings.Repeat("|markdown", MaxFilters) + `}"`,
			strings.Repeat("*", MaxMessage), 0, ErrTooLarge,
		},
		"much work for little text": {
			`"` + strings.Repeat("#{alert_name|upper|trunc:1}", 40) + `"`,
			strings.Repeat("x", MaxMessage), 0, ErrTooLarge,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tmpl := mustCompile(t, tt.source, Options{})
			got, err := tmpl.Render([]byte("before"), Values{}.With(Text{"alert_name", tt.value}), tt.limit)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error = %v, want %v", err, tt.want)
			}
			if !strings.HasPrefix(string(got), "before") {
				t.Error("the contents of dst were lost")
			}
			if err != nil && len(got) != len("before") {
				t.Errorf("%d bytes of an incomplete message were returned", len(got)-len("before"))
			}
		})
	}
}

func TestRenderStopsInTheMiddleOfAValue(t *testing.T) {
	tmpl := mustCompile(t, `"#alert_name"`, Options{})
	text := strings.Repeat("\x01", MaxMessage-2) // six bytes each when escaped
	got, err := tmpl.Render(nil, Values{}.With(Text{"alert_name", text}), 0)
	if !errors.Is(err, ErrTooLarge) || cap(got) > 2*MaxMessage {
		t.Errorf("error = %v after %d bytes, want ErrTooLarge soon after %d", err, cap(got), MaxMessage)
	}
}

func TestRenderManyNames(t *testing.T) {
	var names []string
	for a := 'a'; a <= 'z'; a++ {
		for b := 'a'; b <= 'd'; b++ {
			names = append(names, "v_"+string([]rune{a, b}))
		}
	}
	source, want := `"`, `"`
	texts := make([]Text, 0, len(names))
	for _, name := range names {
		source += "#" + name + ","
		want += name + ","
		texts = append(texts, Text{name, name})
	}
	tmpl, problems := Compile(source+`"`, NewVocabulary(nil, names), Options{})
	if tmpl == nil {
		t.Fatal(problems)
	}
	got, err := tmpl.Render(nil, Values{}.With(texts...), 0)
	if err != nil || string(got) != want+`"` {
		t.Errorf("message = %s, %v", got, err)
	}
}

func TestTemplateIsSafeForConcurrentUse(t *testing.T) {
	tmpl := mustCompile(t, `"#{alert_name|slack|upper} #event_id"`, Options{})
	base := mustValues(t, `{"alert_name":"<"}`)
	results := make(chan string)
	for range 8 {
		go func() {
			got, err := tmpl.Render(nil, base.With(Text{"event_id", "e"}), 0)
			if err != nil {
				got = []byte(err.Error())
			}
			results <- string(got)
		}()
	}
	for range 8 {
		if got, want := <-results, `"\u0026LT; e"`; got != want {
			t.Errorf("message = %s, want %s", got, want)
		}
	}
}
