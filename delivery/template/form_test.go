package template

import (
	"strings"
	"testing"
)

func TestCompileChecksTheExtendedForm(t *testing.T) {
	checkCompile(t, map[string]compileCase{
		"name only": {source: `"#{alert_name}_x"`},
		"every filter": {
			source: `["#{alert_name|trunc:5|default:\"–\"|slack}","#{alert_name|markdown|upper|lower|urlquery}"]`,
		},
		"raw alone":       {source: `{"a":"#{workspaces_count|default:\"0\"|raw}"}`},
		"# before a form": {source: `"##{alert_name}"`},
		"secret": {
			`{"a":"#{secret.routing_key}"}`,
			[]string{"1:9 ERROR SECRET_UNAVAILABLE"},
			"Send the secret in a secret header",
		},
		"unknown name": {
			`"x #{alert_nam}"`,
			[]string{"1:4 ERROR UNKNOWN_VARIABLE"},
			"Did you mean #{alert_name}?",
		},
		"longer name":       {`"#{alert_name_x}"`, []string{"1:2 ERROR UNKNOWN_VARIABLE"}, ""},
		"unavailable name":  {`"#{operation_id|upper}"`, []string{"1:2 ERROR UNAVAILABLE_VARIABLE"}, ""},
		"no name":           {`"#{}"`, []string{"1:4 ERROR BAD_FORM"}, `\u0023{`},
		"space before name": {`"#{ alert_name}"`, []string{"1:4 ERROR BAD_FORM"}, "name of a variable"},
		"space after name":  {`"#{alert_name |upper}"`, []string{"1:14 ERROR BAD_FORM"}, "without spaces"},
		"not closed":        {`{"a":"#{alert_name"}`, []string{"1:19 ERROR BAD_FORM"}, "Add the }"},
		"escaped name":      {`"#{\u0061lert_name}"`, []string{"1:4 ERROR BAD_FORM"}, ""},
		"escaped bar":       {`"#{alert_name\u007cupper}"`, []string{"1:14 ERROR BAD_FORM"}, "“|”"},
	})
}

func TestCompileChecksFilters(t *testing.T) {
	const used = "#{alert_name"
	checkCompile(t, map[string]compileCase{
		"unknown filter": {
			`"` + used + `|uper}"`,
			[]string{"1:15 ERROR UNKNOWN_FILTER"},
			"Did you mean upper?",
		},
		"nameless filter":      {`"` + used + `|}"`, []string{"1:15 ERROR UNKNOWN_FILTER"}, "Use one of date"},
		"superfluous argument": {`"` + used + `|upper:3}"`, []string{"1:21 ERROR BAD_ARGUMENT"}, "no argument"},
		"raw with argument":    {`"` + used + `|raw:3}"`, []string{"1:19 ERROR BAD_ARGUMENT"}, "no argument"},
		"trunc without number": {`"` + used + `|trunc}"`, []string{"1:20 ERROR BAD_ARGUMENT"}, "trunc:130"},
		"trunc by text":        {`"` + used + `|trunc:x}"`, []string{"1:21 ERROR BAD_ARGUMENT"}, "from 1 to"},
		"trunc to nothing":     {`"` + used + `|trunc:0}"`, []string{"1:21 ERROR BAD_ARGUMENT"}, ""},
		"trunc too long":       {`"` + used + `|trunc:262145}"`, []string{"1:21 ERROR BAD_ARGUMENT"}, ""},
		"trunc quoted": {
			`"` + used + `|trunc:\"5\"}"`,
			[]string{"1:21 ERROR BAD_ARGUMENT"},
			"without quotes",
		},
		"default unquoted": {`"` + used + `|default:-}"`, []string{"1:23 ERROR BAD_ARGUMENT"}, `\"none\"`},
		"default missing":  {`"` + used + `|default}"`, []string{"1:22 ERROR BAD_ARGUMENT"}, ""},
		"quote not escaped": {
			`{"a":"#{alert_name|default:"–"}"}`,
			[]string{"1:28 ERROR BAD_FORM"},
			`write them \"`,
		},
		"empty argument not escaped": {
			`{"a":"#{alert_name|default:""}"}`,
			[]string{"1:28 ERROR BAD_FORM"},
			`write them \"`,
		},
		"argument not closed": {
			`"` + used + `|default:\"x}"`,
			[]string{"1:23 ERROR BAD_FORM"},
			"no closing quote",
		},
		"odd backslash": {
			`"` + used + `|default:\"\\n\"}"`,
			[]string{"1:25 ERROR BAD_ARGUMENT"},
			`\\\\`,
		},
		"date without layout": {`"#{timestamp|date}"`, []string{"1:18 ERROR BAD_ARGUMENT"}, "2006-01-02"},
		"date in another notation": {
			`"#{timestamp|date:\"yyyy-MM-dd\"}"`,
			[]string{"1:19 ERROR BAD_ARGUMENT"},
			"2006-01-02",
		},
		"raw not last": {
			`"#{workspaces_count|raw|upper}"`,
			[]string{"1:21 ERROR MISPLACED_RAW"},
			"last",
		},
		"raw twice": {
			`"#{workspaces_count|raw|raw}"`,
			[]string{"1:21 ERROR MISPLACED_RAW"},
			"last",
		},
		"raw after text": {
			`"n #{workspaces_count|raw}"`,
			[]string{"1:23 ERROR MISPLACED_RAW"},
			"whole string",
		},
		"raw before text": {
			`"#{workspaces_count|raw} "`,
			[]string{"1:21 ERROR MISPLACED_RAW"},
			"whole string",
		},
		"as many filters as allowed": {source: `"` + used + strings.Repeat("|upper", MaxFilters) + `}"`},
		"too many filters": {
			`"` + used + strings.Repeat("|upper", MaxFilters+1) + `}"`,
			[]string{"1:63 ERROR TOO_MANY_FILTERS"},
			"at most 8",
		},
		"open form long before another error": {
			`["#{alert_name",1 2]`, []string{"1:15 ERROR BAD_FORM", "1:19 ERROR SYNTAX"}, "Add the }",
		},
		"continues after an invalid form": {
			`["#{x|y} #operation_id","#{alert_name|z}"]`,
			[]string{
				"1:3 ERROR UNKNOWN_VARIABLE", "1:7 ERROR UNKNOWN_FILTER", "1:10 ERROR UNAVAILABLE_VARIABLE",
				"1:39 ERROR UNKNOWN_FILTER",
			},
			"",
		},
	})
}
