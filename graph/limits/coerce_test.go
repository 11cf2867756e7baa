package limits_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"portalhooks/graph/limits"
)

// The values of an open enumeration are judged by its resolvers; its type is
// checked all the same.
func TestOpenEnumsTakeEveryName(t *testing.T) {
	exec, _ := newExecutor(t, limits.Limits{OpenEnums: []string{"Color"}})
	for name, tt := range map[string]struct {
		query string
		value any
		fine  bool
	}{
		"a value of it":           {"query($v: Color) {echo(color: $v)}", "RED", true},
		"another name":            {"query($v: Color) {echo(color: $v)}", "BLUE", true},
		"in an input":             {"query($v: Thing) {echo(thing: $v)}", map[string]any{"count": json.Number("1"), "color": "x"}, true},
		"a number":                {"query($v: Color) {echo(color: $v)}", json.Number("5"), false},
		"a list":                  {"query($v: Color) {echo(color: $v)}", []any{"RED"}, false},
		"a number in an input":    {"query($v: Thing) {echo(thing: $v)}", map[string]any{"count": json.Number("1"), "color": true}, false},
		"a value in the text":     {"{echo(color: RED)}", nil, true},
		"a name in the text":      {"{echo(color: BLUE)}", nil, true},
		"a string in the text":    {`{echo(color: "RED")}`, nil, false},
		"a number in the text":    {"{echo(color: 5)}", nil, false},
		"an object in the text":   {"{echo(color: {a: 1})}", nil, false},
		"null in the text":        {"{echo(color: null)}", nil, true},
		"a list in the text":      {"{echo(color: [RED])}", nil, false},
		"a variable of its type":  {"query($v: Color = GREEN) {echo(color: $v)}", "RED", true},
		"a variable of another":   {"query($v: String) {echo(color: $v)}", "RED", false},
		"nothing":                 {"query($v: Color) {echo(color: $v)}", nil, true},
		"a default of other form": {`query($v: Color = "RED") {echo(color: $v)}`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			errs := create(exec, tt.query, map[string]any{"v": tt.value})
			if tt.fine != (len(errs) == 0) {
				t.Errorf("errors %v, want fine = %t", errs, tt.fine)
			}
		})
	}
}

// A message says what would be right, and the path leads from the variable to the
// value at fault.
func TestRefusedVariablesSayWhatWouldBeRight(t *testing.T) {
	exec, guard := newExecutor(t, limits.Limits{})
	for name, tt := range map[string]struct {
		declared, variables string
		path, message       string
	}{
		"a missing variable": {"$v: Thing!", `{}`, "[v]", "The variable $v is required: it is of type Thing!."},
		"null for a variable": {
			"$v: Thing!", `{"v": null}`, "[v]", "The variable $v must not be null: it is of type Thing!.",
		},
		"a missing field": {"$v: Thing", `{"v": {}}`, "[v count]", "Thing.count is required: it is of type Int!."},
		"null for a field": {
			"$v: Thing", `{"v": {"count": null}}`, "[v count]", "Thing.count must not be null: it is of type Int!.",
		},
		"a field that is nearly right": {
			"$v: Thing", `{"v": {"count": 1, "colour": "RED"}}`, "[v colour]",
			`Thing has no field "colour". Did you mean color?`,
		},
		"an unknown field": {
			"$v: Thing", `{"v": {"count": 1, "x_y_z": 1}}`, "[v x_y_z]",
			`Thing has no field "x_y_z". Its fields are count, color, names and inner.`,
		},
		"an unknown value": {
			"$v: Thing", `{"v": {"count": 1, "inner": {"count": 2, "color": "BLUE"}}}`, "[v inner color]",
			`"BLUE" is not a value of Color, which are RED and GREEN.`,
		},
		"a value in lower case": {
			"$v: Color", `{"v": "red"}`, "[v]", `"red" is not a value of Color, which are RED and GREEN.`,
		},
		"an element that is null": {
			"$v: Thing", `{"v": {"count": 1, "names": ["a", null]}}`, "[v names 1]",
			"An element of [String!] must not be null.",
		},
		"text for a number": {
			"$v: Thing", `{"v": {"count": "1"}}`, "[v count]",
			"This is not an Int: a whole number of at most 32 bits, such as 25.",
		},
		"a number for text": {
			"$v: Thing", `{"v": {"count": 1, "names": [1]}}`, "[v names 0]", `This is not a String, such as "text".`,
		},
		"two fields of a oneOf": {
			"$v: Choice", `{"v": {"number": 1, "text": "a"}}`, "[v]",
			"Choice has 2 fields. Set exactly one of number and text.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var variables map[string]any
			d := json.NewDecoder(strings.NewReader(tt.variables))
			d.UseNumber()
			if err := d.Decode(&variables); err != nil {
				t.Fatal(err)
			}
			argument := map[string]string{"T": "thing", "C": "choice"}[tt.declared[4:5]]
			if strings.Contains(tt.declared, "Color") {
				argument = "color"
			}
			query := "query(" + tt.declared + ") {echo(" + argument + ": $v)}"
			if errs := create(exec, query, variables); len(errs) == 0 {
				t.Fatal("accepted")
			}
			err := guard.Explain(&graphql.RawParams{Query: query, Variables: variables})
			if err == nil || err.Message != tt.message || fmt.Sprint(err.Extensions[limits.InputPath]) != tt.path {
				t.Errorf("got %v %v, want %q at %s", err, err.Extensions, tt.message, tt.path)
			}
			if err.Path != nil {
				t.Errorf("the path of an error before execution is %v", err.Path)
			}
		})
	}
}

func TestWrongOperationNameIsToldTheRightOnes(t *testing.T) {
	_, guard := newExecutor(t, limits.Limits{})
	for name, tt := range map[string]struct{ query, operation, want string }{
		"several, and none named": {
			"query A {a} query B {a}", "", "The document has several operations. Set operationName to one of A and B.",
		},
		"another name": {
			"query A {a} query B {a}", "C",
			"The document has no operation with this operationName. Its operations are A and B.",
		},
		"a name for one without": {
			"{a}", "A", "The document has one operation without a name. Leave operationName out.",
		},
		"fragments alone": {
			"fragment f on Query {a}", "", "The document has no operation, only fragments.",
		},
	} {
		err := guard.Explain(&graphql.RawParams{Query: tt.query, OperationName: tt.operation})
		if err == nil || err.Message != tt.want {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

func TestVariablesAreCheckedStrictly(t *testing.T) {
	exec, _ := newExecutor(t, limits.Limits{})
	for name, tt := range map[string]struct {
		typ, value string
		fine       bool
	}{
		"Int":                              {"Int", `5`, true},
		"null":                             {"Int", `null`, true},
		"text is not an Int":               {"Int", `"5"`, false},
		"a fraction is not an Int":         {"Int", `5.5`, false},
		"33 bits are not an Int":           {"Int", `2147483648`, false},
		"99999999999 is not an Int":        {"Int", `99999999999`, false},
		"the least Int":                    {"Int", `-2147483648`, true},
		"a boolean is not an Int":          {"Int", `true`, false},
		"Ints in a list":                   {"[Int!]", `[1, 2]`, true},
		"text in a list of Ints":           {"[Int!]", `[1, "2"]`, false},
		"33 bits in a list of Ints":        {"[Int!]", `[1, 2147483648]`, false},
		"one Int for a list":               {"[Int!]", `1`, true},
		"one text for a list of Ints":      {"[Int!]", `"1"`, false},
		"lists of lists":                   {"[[Int!]!]", `[[1], [2, 3]]`, true},
		"one Int for a list of lists":      {"[[Int!]!]", `1`, true},
		"text in a list of lists":          {"[[Int!]!]", `[[1], ["2"]]`, false},
		"an integer is a Float":            {"Float", `5`, true},
		"Float":                            {"Float", `5.5e10`, true},
		"text is not a Float":              {"Float", `"5.5"`, false},
		"infinity is not a Float":          {"Float", `1e999`, false},
		"String":                           {"String", `"a"`, true},
		"a number is not a String":         {"String", `5`, false},
		"text is not a Boolean":            {"Boolean", `"true"`, false},
		"a number is not a Boolean":        {"Boolean", `1`, false},
		"Boolean":                          {"Boolean", `false`, true},
		"text is an ID":                    {"ID", `"wh_1"`, true},
		"an integer is an ID":              {"ID", `5`, true},
		"a fraction is not an ID":          {"ID", `5.5`, false},
		"enum":                             {"Color", `"RED"`, true},
		"an enum's case matters":           {"Color", `"red"`, false},
		"a number is not an enum":          {"Color", `0`, false},
		"an unknown enum value":            {"Color", `"BLUE"`, false},
		"anything is JSON":                 {"JSON", `{"a": [1, "x", null]}`, true},
		"input":                            {"Thing", `{"count": 1, "names": ["a"], "color": "RED"}`, true},
		"input with text for an Int":       {"Thing", `{"count": "1"}`, false},
		"input with an enum in lower case": {"Thing", `{"count": 1, "color": "red"}`, false},
		"input with a number for a String": {"Thing", `{"count": 1, "names": [1]}`, false},
		"input deep down":                  {"Thing", `{"count": 1, "inner": {"count": "1"}}`, false},
		"input with __typename":            {"Thing", `{"count": 1, "__typename": "Thing"}`, false},
		"input with an unknown field":      {"Thing", `{"count": 1, "other": 1}`, false},
		"input without a field":            {"Thing", `{}`, false},
		"input that is a list":             {"Thing", `[{"count": 1}]`, false},
		"input that is text":               {"Thing", `"{}"`, false},
		"oneOf":                            {"Choice", `{"number": 1}`, true},
		"oneOf with two fields":            {"Choice", `{"number": 1, "text": "a"}`, false},
		"oneOf with a null beside":         {"Choice", `{"number": 1, "text": null}`, false},
		"oneOf with null":                  {"Choice", `{"number": null}`, false},
		"oneOf with nothing":               {"Choice", `{}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			var value any
			d := json.NewDecoder(strings.NewReader(tt.value))
			d.UseNumber()
			if err := d.Decode(&value); err != nil {
				t.Fatal(err)
			}
			query := "query($v: " + tt.typ + ") {echo(" + argumentOf[tt.typ] + ": $v)}"
			errs := create(exec, query, map[string]any{"v": value})
			if tt.fine != (len(errs) == 0) {
				t.Errorf("errors %v, want fine = %t", errs, tt.fine)
			}
		})
	}
}

var argumentOf = map[string]string{
	"Int": "int", "Float": "float", "String": "string", "Boolean": "boolean", "ID": "id", "Color": "color",
	"JSON": "json", "[Int!]": "list", "[[Int!]!]": "lists", "Choice": "choice", "Thing": "thing",
}
