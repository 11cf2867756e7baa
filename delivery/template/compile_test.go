package template

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// brief formats a problem without its message.
func brief(p Problem) string {
	return fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, p.Severity, p.Code)
}

func briefs(problems []Problem) []string {
	all := make([]string, len(problems))
	for i, p := range problems {
		all[i] = brief(p)
	}
	return all
}

type compileCase struct {
	source string
	want   []string // brief problems
	advice string   // part of the first message
}

func checkCompile(t *testing.T, cases map[string]compileCase) {
	t.Helper()
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			tmpl, problems := Compile(tt.source, testVocabulary(), Options{})
			if got := briefs(problems); !slices.Equal(got, tt.want) {
				t.Fatalf("problems = %v, want %v\n%v", got, tt.want, problems)
			}
			if bad := saved(problems) == "error"; bad != (tmpl == nil) {
				t.Errorf("template is nil: %t, has errors: %t", tmpl == nil, bad)
			}
			if len(problems) > 0 && !strings.Contains(problems[0].Message, tt.advice) {
				t.Errorf("message = %q, want it to contain %q", problems[0].Message, tt.advice)
			}
		})
	}
}

func TestCompileExplainsInvalidJSON(t *testing.T) {
	checkCompile(t, map[string]compileCase{
		"any top-level value": {source: ` true `},
		"byte order mark":     {source: "\uFEFF{\"a\":1}"},
		"empty":               {"", []string{"1:1 ERROR EMPTY"}, "Write a JSON document"},
		"only white space":    {" \n ", []string{"1:1 ERROR EMPTY"}, "empty"},
		"unquoted variable": {
			`{"a":#workspace_id}`,
			[]string{"1:6 ERROR UNQUOTED_VARIABLE"},
			`Put the variable in quotes: "#workspace_id"`,
		},
		"unquoted form": {
			`{"a":#{workspaces_count|raw}, "b":1}`,
			[]string{"1:6 ERROR UNQUOTED_VARIABLE"},
			`"#{workspaces_count|raw}"`,
		},
		"line comment":   {"{\n // why\n \"a\":1}", []string{"2:2 ERROR COMMENT"}, "Remove"},
		"block comment":  {`{"a":/* x */1}`, []string{"1:6 ERROR COMMENT"}, "comments"},
		"comment at end": {`1 // x`, []string{"1:3 ERROR COMMENT"}, "comments"},
		"comma in object": {
			"{\"é\":1,\n}", []string{"1:7 ERROR TRAILING_COMMA"}, "Remove it",
		},
		"comma in array":    {`[1,2, ]`, []string{"1:5 ERROR TRAILING_COMMA"}, "Remove it"},
		"missing comma":     {`{"a":1 "b":2}`, []string{"1:8 ERROR MISSING_COMMA"}, "comma is missing"},
		"single quotes":     {`{'a':'b'}`, []string{"1:2 ERROR SINGLE_QUOTES", "1:6 ERROR SINGLE_QUOTES"}, `"a"`},
		"open single quote": {"['b\n']", []string{"1:2 ERROR SINGLE_QUOTES"}, "double quotes"},
		"unquoted key": {
			`{a:1,#alert_name:2}`,
			[]string{"1:2 ERROR UNQUOTED_KEY", "1:6 ERROR UNQUOTED_KEY"},
			`"a"`,
		},
		"NaN": {
			`[NaN,-Infinity]`,
			[]string{"1:2 ERROR BAD_LITERAL", "1:6 ERROR BAD_LITERAL"},
			"a number or null",
		},
		"Python literals": {
			`[True,None]`,
			[]string{"1:2 ERROR BAD_LITERAL", "1:7 ERROR BAD_LITERAL"},
			"lower case: true",
		},
		"unquoted text": {`[hello]`, []string{"1:2 ERROR BAD_LITERAL"}, "double quotes"},
		"leading zero":  {`[01]`, []string{"1:2 ERROR BAD_NUMBER"}, "leading zero"},
		"other bad numbers": {
			`[+1,.5,-]`,
			[]string{"1:2 ERROR BAD_NUMBER", "1:5 ERROR BAD_NUMBER", "1:8 ERROR BAD_NUMBER"},
			"",
		},
		"point without end": {`[1.,1e]`, []string{"1:2 ERROR BAD_NUMBER", "1:5 ERROR BAD_NUMBER"}, ""},
	})
}

func TestCompileExplainsInvalidStringsAndLimits(t *testing.T) {
	checkCompile(t, map[string]compileCase{
		"bad escape": {
			`["C:\Windows\x"]`,
			[]string{"1:5 ERROR BAD_ESCAPE", "1:13 ERROR BAD_ESCAPE"},
			`a backslash as \\`,
		},
		"short escape":       {`["\u12"]`, []string{"1:3 ERROR BAD_ESCAPE"}, ""},
		"high surrogate":     {`["\ud83dx"]`, []string{"1:3 ERROR LONE_SURROGATE"}, "both halves"},
		"low surrogate":      {`["\ude00"]`, []string{"1:3 ERROR LONE_SURROGATE"}, ""},
		"surrogate pair":     {source: `["\ud83d\ude00"]`},
		"tab in text":        {"[\"a\tb\"]", []string{"1:4 ERROR CONTROL_CHARACTER"}, `\t`},
		"line break in text": {"[\"a\nb\"]", []string{"1:4 ERROR CONTROL_CHARACTER"}, `write the line break as \n`},
		"bad UTF-8":          {"[\"é\xff\"]", []string{"1:4 ERROR BAD_UTF8"}, "UTF-8"},
		"no closing quote":   {`["a`, []string{"1:2 ERROR UNCLOSED"}, "closing quote"},
		"no closing bracket": {"{\"b\":\n [1", []string{"2:2 ERROR UNCLOSED"}, "']'"},
		"ends after colon":   {`{"a":`, []string{"1:6 ERROR UNCLOSED"}, "value is expected"},
		"ends after comma":   {`{"a":1,`, []string{"1:8 ERROR UNCLOSED"}, ""},
		"wrong bracket":      {`{"a":1]`, []string{"1:7 ERROR SYNTAX"}, "'}' is expected"},
		"quotes in text":     {`{"a":"say "hi" now"}`, []string{"1:12 ERROR SYNTAX"}, `write them as \"`},
		"missing value": {
			`{"a":,"b":[,1]}`,
			[]string{"1:6 ERROR SYNTAX", "1:12 ERROR SYNTAX"},
			"value is missing",
		},
		"missing key":        {`{"a":1,,"b":2}`, []string{"1:8 ERROR SYNTAX"}, "Remove the comma"},
		"missing colon":      {`{"a" 1}`, []string{"1:6 ERROR SYNTAX"}, "colon"},
		"number as key":      {`{"a":1,-1:2}`, []string{"1:8 ERROR SYNTAX"}, "key in double quotes"},
		"two documents":      {`{} {}`, []string{"1:4 ERROR SYNTAX"}, "ends before"},
		"typographic quotes": {`{"a":“b”}`, []string{"1:6 ERROR SYNTAX"}, "plain double quote"},
		"no-break space":     {"{\"a\":\u00a01}", []string{"1:6 ERROR SYNTAX"}, "U+00A0"},
		"duplicate key": {
			"{\"a\":1,\n \"a\":2}", []string{"2:2 ERROR DUPLICATE_KEY"}, "line 1",
		},
		"duplicate when unescaped":    {`{"a":1,"\u0061":2}`, []string{"1:8 ERROR DUPLICATE_KEY"}, "already"},
		"same key elsewhere":          {source: `{"a":{"a":1},"b":[{"a":1}]}`},
		"depth ends with its bracket": {source: "[" + strings.Repeat("[{}],", MaxDepth) + "{}]"},
		"as deep as allowed":          {source: strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)},
		"too deep": {
			strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1),
			[]string{"1:65 ERROR TOO_DEEP"},
			"flatter",
		},
		"as long as allowed": {source: `"` + strings.Repeat("x", MaxTemplate-2) + `"`},
		"too long": {
			`"` + strings.Repeat("x", MaxTemplate-1) + `"`,
			[]string{"1:1 ERROR TOO_LONG"},
			"at most 65536",
		},
	})
}

func TestCompileFindsVariables(t *testing.T) {
	uses := func(n int) string { return `"` + strings.Repeat("#alert_name ", n) + `"` }
	checkCompile(t, map[string]compileCase{
		"not of this event type": {
			`{"a":"é #operation_id"}`,
			[]string{"1:9 ERROR UNAVAILABLE_VARIABLE"},
			"Events of this type have no #operation_id",
		},
		"longest name wins even if unavailable": {
			`"#workspaces_names"`, []string{"1:2 ERROR UNAVAILABLE_VARIABLE"}, "#workspaces_names",
		},
		"misspelled": {
			`"#alert_naame"`,
			[]string{"1:2 WARNING UNKNOWN_VARIABLE"},
			"Did you mean #alert_name?",
		},
		"other case": {
			`"#workspaceId"`,
			[]string{"1:2 WARNING UNKNOWN_VARIABLE"},
			"Did you mean #workspace_id?",
		},
		"hyphen": {
			`"#workspace-id"`,
			[]string{"1:2 WARNING UNKNOWN_VARIABLE"},
			"Did you mean #workspace_id?",
		},
		"hashtag": {
			`"see #general"`,
			[]string{"1:6 WARNING UNKNOWN_VARIABLE"},
			"It stays as text",
		},
		"not ASCII":                         {`"#año_x"`, []string{"1:2 WARNING UNKNOWN_VARIABLE"}, "“#año_x”"},
		"numbers, colors and headings pass": {source: `"Ticket #123, #ff0000 #FFF ## # #\n#"`},
		"more name characters": {
			`"#alert_names"`, []string{"1:2 WARNING LONGER_NAME"}, "Write #{alert_name}",
		},
		"in a key": {`{"#alert_name":1}`, []string{"1:3 WARNING VARIABLE_IN_KEY"}, "not replaced"},
		"form in a key": {
			`{"a":{"#{alert_name}x":1}}`,
			[]string{"1:8 WARNING VARIABLE_IN_KEY"},
			"#alert_name",
		},
		"escaped":            {source: `{"a":"\u0023operation_id \\u0023","\u0023alert_name":1}`},
		"after a backslash":  {`"\\#operation_id"`, []string{"1:4 ERROR UNAVAILABLE_VARIABLE"}, ""},
		"as many as allowed": {source: uses(MaxUses)},
		"too many":           {uses(MaxUses + 9), []string{"1:3074 ERROR TOO_MANY_VARIABLES"}, "at most 256"},
		"several at once": {
			`["#operation_id","#alert_nam",#x]`,
			[]string{
				"1:3 ERROR UNAVAILABLE_VARIABLE", "1:19 WARNING UNKNOWN_VARIABLE", "1:31 ERROR UNQUOTED_VARIABLE",
			},
			"",
		},
		"line breaks counted": {
			"[1,\r\n\"#operation_id\",\n\n  \"#operation_id\"]",
			[]string{"2:2 ERROR UNAVAILABLE_VARIABLE", "4:4 ERROR UNAVAILABLE_VARIABLE"},
			"",
		},
	})
}

func TestCompileReportsAtMostMaxProblems(t *testing.T) {
	source := "[" + strings.Repeat(`"#alert_naame",`, 50) + strings.Repeat("NaN,", 3) + "1]"
	_, problems := Compile(source, testVocabulary(), Options{})
	if len(problems) != MaxProblems {
		t.Errorf("%d problems, want %d", len(problems), MaxProblems)
	}
	errs := slices.DeleteFunc(problems, func(p Problem) bool { return p.Severity != SeverityError })
	if len(errs) != 3 {
		t.Errorf("%d errors, want 3: warnings must not displace errors", len(errs))
	}
	source = "[" + strings.Repeat("NaN,", 50) + "1]"
	if _, problems = Compile(source, testVocabulary(), Options{}); len(problems) != MaxProblems {
		t.Errorf("%d problems, want %d", len(problems), MaxProblems)
	}
}

func TestZeroVocabularyHasNoVariables(t *testing.T) {
	tmpl, problems := Compile(`"#alert_name"`, Vocabulary{}, Options{})
	if got := briefs(problems); !slices.Equal(got, []string{"1:2 WARNING UNKNOWN_VARIABLE"}) {
		t.Errorf("problems = %v", got)
	}
	if got := tmpl.Uses(); len(got) != 0 {
		t.Errorf("uses = %v, want none", got)
	}
}

func TestUsesAreSortedAndDistinct(t *testing.T) {
	tmpl := mustCompile(t, `{"#event_id":"#workspace_id #{alert_name|upper}","b":"#alert_name"}`, Options{})
	if got, want := tmpl.Uses(), []string{"alert_name", "workspace_id"}; !slices.Equal(got, want) {
		t.Errorf("uses = %v, want %v", got, want)
	}
}
