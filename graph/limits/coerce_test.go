package limits_test

import (
	"encoding/json"
	"strings"
	"testing"

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
