package delivery

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery/template"
)

var (
	sampleNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	sampleOrg = Organization{ID: 7, ExternalID: "acme", Name: "Acme"}
)

func TestCatalogueIsComplete(t *testing.T) {
	types := EventTypes()
	order := make([]EventType, len(types))
	for i, info := range types {
		order[i] = info.Type
		for _, l := range []Locale{English, Spanish, Catalan, Portuguese} {
			if info.Captions[l] == "" {
				t.Errorf("%s has no caption in %s", info.Type, l)
			}
		}
		if info.Description == "" || info.AllItemsLabel == "" || !info.ItemKind.Known() {
			t.Errorf("%s lacks a description, a label or an item kind", info.Type)
		}
		for _, v := range info.Variables {
			if v.Sample == "" || v.Caption == "" || v.Type == "" || strings.HasPrefix(v.Name, "#") {
				t.Errorf("%s: the variable %+v is not complete", info.Type, v)
			}
		}
		for _, name := range []string{
			"event_id", "event_type_id", "webhook_id", "webhook_name", "group_id", "delivery_id",
		} {
			if !slices.Contains(names(info), name) {
				t.Errorf("%s has no variable %s", info.Type, name)
			}
		}
	}
	if !slices.Equal(order, eventTypes) {
		t.Errorf("types in the order %v, want %v", order, eventTypes)
	}
	if _, ok := TypeInfoOf("NOTHING"); ok {
		t.Error("an unknown type is known")
	}
}

func TestPerWorkspaceTypes(t *testing.T) {
	for _, info := range EventTypes() {
		want := info.Type == ExecutedMicroservice || info.Type == OperationInWorkspace
		if info.PerWorkspace != want {
			t.Errorf("%s: PerWorkspace = %t", info.Type, info.PerWorkspace)
		}
	}
}

// catalogueTexts are the parts of the catalogue that are compared byte for byte.
type catalogueTexts struct {
	Types []struct {
		ID       EventType       `json:"id"`
		Template string          `json:"template_text"`
		Preview  json.RawMessage `json:"preview"`
	} `json:"event_types"`
	Restart struct {
		Notifications []struct {
			Type EventType       `json:"event_type_id"`
			Body json.RawMessage `json:"body"`
		} `json:"notifications"`
	} `json:"restart_example"`
}

func readTexts(t *testing.T) catalogueTexts {
	t.Helper()
	var f catalogueTexts
	if err := json.Unmarshal(catalogueJSON, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDefaultTemplatesRenderTheCataloguesPreviews(t *testing.T) {
	for _, want := range readTexts(t).Types {
		t.Run(string(want.ID), func(t *testing.T) {
			info, _ := TypeInfoOf(want.ID)
			if info.DefaultTemplate != want.Template {
				t.Error("the default template is not the catalogue's text")
			}
			e := sampleEvent(want.ID, Organization{}, sampleNow)
			sameBody(t, renderDefault(t, &e), want.Preview)
		})
	}
}

// renderDefault renders an event by its type's default template, which must
// have no problem.
func renderDefault(t *testing.T, e *Event) []byte {
	t.Helper()
	info, _ := TypeInfoOf(e.Type)
	compiled := compiled{webhook: "wh_1", name: "Test"}
	var problems []template.Problem
	compiled.template, problems = compile(e.Type, info.DefaultTemplate, "")
	if len(problems) > 0 {
		t.Fatalf("problems of the default template: %v", problems)
	}
	message, err := compiled.message(nil, e, 1)
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
	e := sampleEvent(ActiveAlert, sampleOrg, sampleNow)
	message := string(renderDefault(t, &e))
	for _, want := range []string{`"acme"`, `"Acme"`, `"WS-BCN-0142"`} {
		if !strings.Contains(message, want) {
			t.Errorf("%s is not in %s", want, message)
		}
	}
	if !e.Test || e.Org != sampleOrg.ID || e.WorkspaceID == "" || e.Group == "" {
		t.Errorf("event = %+v", e)
	}
	if want := time.Date(2026, 1, 14, 9, 31, 7, 0, time.UTC); !e.OccurredAt.Equal(want) {
		t.Errorf("occurred at %s, want %s as its variable says", e.OccurredAt, want)
	}
}

func TestDemoData(t *testing.T) {
	d := Demo()
	items := 0
	for kind, list := range d.Items {
		items += len(list)
		for _, item := range list {
			if item.ID == "" || item.Name == "" || !json.Valid(item.Attributes) {
				t.Errorf("%s: item %+v", kind, item)
			}
		}
	}
	if len(d.Organizations) != 3 || items != 76 || len(d.Webhooks) != 7 {
		t.Errorf("%d organizations, %d items, %d webhooks; want 3, 76, 7", len(d.Organizations), items,
			len(d.Webhooks))
	}
	if got := d.Webhooks[0].Slug; got != "itsm-tickets-critical-alerts" {
		t.Errorf("slug = %q", got)
	}
}
