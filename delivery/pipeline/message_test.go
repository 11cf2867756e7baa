package pipeline

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/template"
)

// catalogueTexts are the parts of the catalogue that are compared byte for byte.
type catalogueTexts struct {
	Types []struct {
		ID       delivery.EventType `json:"id"`
		Template string             `json:"template_text"`
		Preview  json.RawMessage    `json:"preview"`
	} `json:"event_types"`
	Restart struct {
		Notifications []struct {
			Type delivery.EventType `json:"event_type_id"`
			Body json.RawMessage    `json:"body"`
		} `json:"notifications"`
	} `json:"restart_example"`
}

func readTexts(t *testing.T) catalogueTexts {
	t.Helper()
	var f catalogueTexts
	file, err := os.ReadFile("../catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(file, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDefaultTemplatesRenderTheCataloguesPreviews(t *testing.T) {
	for _, want := range readTexts(t).Types {
		t.Run(string(want.ID), func(t *testing.T) {
			info, _ := delivery.TypeInfoOf(want.ID)
			if info.DefaultTemplate != want.Template {
				t.Error("the default template is not the catalogue's text")
			}
			e := delivery.SampleEvent(want.ID, delivery.Organization{}, deliverytest.Now)
			sameBody(t, renderDefault(t, &e), want.Preview)
		})
	}
}

// renderDefault renders an event by its type's default template, which must
// have no problem.
func renderDefault(t *testing.T, e *delivery.Event) []byte {
	t.Helper()
	info, _ := delivery.TypeInfoOf(e.Type)
	compiled := delivery.Compiled{Webhook: "wh_1", Name: "Test"}
	var problems []template.Problem
	compiled.Template, problems = delivery.Compile(e.Type, info.DefaultTemplate, "")
	if len(problems) > 0 {
		t.Fatalf("problems of the default template: %v", problems)
	}
	message, err := compiled.Message(nil, e, 1)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// sameBody compares messages by value. A plain variable is always text, so
// where the catalogue shows a number or a list the message has its text.
func sameBody(t *testing.T, got []byte, want json.RawMessage) {
	t.Helper()
	type body struct {
		Message map[string]json.RawMessage `json:"message"`
	}
	var gotBody, wantBody body
	if err := json.Unmarshal(got, &gotBody); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal(want, &wantBody); err != nil {
		t.Fatal(err)
	}
	for name, value := range wantBody.Message {
		if g, w := asText(t, gotBody.Message[name]), asText(t, value); g != w {
			t.Errorf("%s = %s, want %s", name, g, w)
		}
		if raw := gotBody.Message[name]; len(raw) == 0 || raw[0] != '"' {
			t.Errorf("%s is %s, not text", name, raw)
		}
	}
	if len(gotBody.Message) != len(wantBody.Message) {
		t.Errorf("%d members, want %d: %s", len(gotBody.Message), len(wantBody.Message), got)
	}
}

func asText(t *testing.T, value json.RawMessage) string {
	t.Helper()
	if len(value) > 0 && value[0] == '"' {
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		t.Fatalf("%v in %q", err, value)
	}
	return compact.String()
}

func TestSampleEventHappensInTheGivenOrganization(t *testing.T) {
	e := delivery.SampleEvent(delivery.ActiveAlert, deliverytest.Org, deliverytest.Now)
	message := string(renderDefault(t, &e))
	for _, want := range []string{`"acme"`, `"Acme"`, `"WS-BCN-0142"`} {
		if !strings.Contains(message, want) {
			t.Errorf("%s is not in %s", want, message)
		}
	}
	if !e.Test || e.Org != deliverytest.Org.ID || e.WorkspaceID == "" || e.Group == "" {
		t.Errorf("event = %+v", e)
	}
	if want := time.Date(2026, 1, 14, 9, 31, 7, 0, time.UTC); !e.OccurredAt.Equal(want) {
		t.Errorf("occurred at %s, want %s as its variable says", e.OccurredAt, want)
	}
}
