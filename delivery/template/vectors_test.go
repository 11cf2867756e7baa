package template

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A generated text is too long for the file of vectors.
type generated struct {
	Prefix, Repeat, Suffix string
	Times                  int
}

func (g generated) text() string { return g.Prefix + strings.Repeat(g.Repeat, g.Times) + g.Suffix }

type vector struct {
	ID          string               `json:"id"`
	EventType   string               `json:"event_type"`
	Template    string               `json:"template"`
	TemplateGen *generated           `json:"template_gen"`
	Values      json.RawMessage      `json:"values"`
	ValuesJSON  string               `json:"values_json"`
	ValuesGen   map[string]generated `json:"values_gen"`
	Save        string               `json:"save"`
	Expect      json.RawMessage      `json:"expect"`
	ExpectRaw   string               `json:"expect_raw"`
	ExpectError string               `json:"expect_error"`
}

func (v vector) source() string {
	if v.TemplateGen != nil {
		return v.TemplateGen.text()
	}
	return v.Template
}

func (v vector) values(t *testing.T) Values {
	t.Helper()
	source := []byte(v.ValuesJSON)
	switch {
	case v.ValuesGen != nil:
		texts := make(map[string]string)
		for name, g := range v.ValuesGen {
			texts[name] = g.text()
		}
		var err error
		if source, err = json.Marshal(texts); err != nil {
			t.Fatal(err)
		}
	case v.ValuesJSON == "":
		source = v.Values
	}
	return mustValues(t, string(source))
}

func TestVectors(t *testing.T) {
	var file struct {
		Catalogue map[string][]string `json:"catalogue"`
		Cases     []vector            `json:"cases"`
	}
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, names := range file.Catalogue {
		known = append(known, names...)
	}
	for _, v := range file.Cases {
		t.Run(v.ID, func(t *testing.T) {
			available := slices.Concat(file.Catalogue["all"], file.Catalogue[v.EventType])
			tmpl, problems := Compile(v.source(), NewVocabulary(known, available), Options{})
			if got := saved(problems); got != v.Save {
				t.Fatalf("save = %s, want %s: %v", got, v.Save, problems)
			}
			if v.Save != "error" {
				checkVector(t, v, tmpl)
			}
		})
	}
}

// saved returns the outcome of saving a template with these problems.
func saved(problems []Problem) string {
	outcome := "ok"
	for _, p := range problems {
		if p.Severity == SeverityError {
			return "error"
		}
		outcome = "warn"
	}
	return outcome
}

func checkVector(t *testing.T, v vector, tmpl *Template) {
	t.Helper()
	got, err := tmpl.Render(nil, v.values(t), MaxMessage)
	if v.ExpectError != "" {
		if !errors.Is(err, ErrTooLarge) {
			t.Fatalf("error = %v, want ErrTooLarge", err)
		}
		if cap(got) > 2*MaxMessage {
			t.Errorf("a message over the limit allocated %d bytes", cap(got))
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var is, want any
	if err := json.Unmarshal(got, &is); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if err := json.Unmarshal(v.Expect, &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(is, want) {
		t.Errorf("message = %s, want %s", got, v.Expect)
	}
	if v.ExpectRaw != "" && string(got) != v.ExpectRaw {
		t.Errorf("message = %s, want the bytes %s", got, v.ExpectRaw)
	}
}

func mustValues(t testing.TB, source string) Values {
	t.Helper()
	values, err := ParseValues([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// mustCompile compiles a template that has no errors.
func mustCompile(t testing.TB, source string, o Options) *Template {
	t.Helper()
	tmpl, problems := Compile(source, testVocabulary(), o)
	if tmpl == nil {
		t.Fatalf("compile %s: %v", source, problems)
	}
	return tmpl
}

// testVocabulary returns the vocabulary of an alert; microservices have further
// variables.
func testVocabulary() Vocabulary {
	available := []string{
		"event_type", "organization_id", "organization_name", "timestamp",
		"alert_name", "alert_information", "alert_start", "alert_element",
		"workspace_id", "workspace_name", "workspace_last_user",
		"workspace_reporting_group_id", "workspace_reporting_group_name",
		"workspaces", "workspaces_count",
		"event_id", "webhook_id", "webhook_name", "delivery_id",
	}
	others := []string{"operation_id", "operation_result", "microservice_id", "workspaces_names"}
	return NewVocabulary(slices.Concat(available, others), available)
}
