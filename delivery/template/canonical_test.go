package template

import (
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for name, tt := range map[string]struct{ source, want string }{
		"compact":            {" { \"a\" : [ 1 , true, null ,{ } ,[ ]] }\n", `{"a":[1,true,null,{},[]]}`},
		"sorted keys":        {`{"b":1,"a":{"d":1,"c":2},"B":3}`, `{"B":3,"a":{"c":2,"d":1},"b":1}`},
		"numbers as written": {`[1.50,1e2,12345678901234567890,-0]`, `[1.50,1e2,12345678901234567890,-0]`},
		"byte order mark":    {"\uFEFF1", `1`},
		"normalized escapes": {
			`"\u00E9\/\u000A\u0008\u0001\ud83d\ude00\u2028"`, "\"é/\\n\\b\\u0001😀\u2028\"",
		},
		"short escapes":       {`"\"\\\n\t"`, `"\"\\\n\t"`},
		"escaped variable":    {`"\u0023alert_name #alert_name"`, `"\u0023alert_name #alert_name"`},
		"name with an escape": {`"#\u0061lert_name"`, `"#\u0061lert_name"`},
		"quote in an argument": {
			`"#{alert_name|default:\"\u0022\u005C\"}"`, `"#{alert_name|default:\"\u0022\u005c\"}"`,
		},
		"NUL":                         {`{"\u0000":"\u0000"}`, `{"\u0000":"\u0000"}`},
		"keys have no variables":      {`{"\u0023\u0061\u0022":1}`, `{"#a\"":1}`},
		"sorted by the unescaped key": {`{"b":1,"\u0061":2}`, `{"a":2,"b":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Canonical(tt.source)
			if err != nil || got != tt.want {
				t.Fatalf("canonical = %s, %v, want %s", got, err, tt.want)
			}
			if again, err := Canonical(got); err != nil || again != got {
				t.Errorf("canonical of canonical = %s, %v", again, err)
			}
		})
	}
}

func TestCanonicalRejectsInvalidJSON(t *testing.T) {
	_, err := Canonical("{\"a\":1,\n}")
	if err == nil || !strings.Contains(err.Error(), "line 1, column 7: TRAILING_COMMA") {
		t.Errorf("error = %v, want the position and the code of the trailing comma", err)
	}
}
