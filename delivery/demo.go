package delivery

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// DemoData is what the development mode starts with, from the catalogue.
type DemoData struct {
	Organizations []DemoOrganization
	Items         map[ItemKind][]SyncedItem // of the first organization
	Webhooks      []DemoWebhook             // of the first organization
}

// A DemoOrganization is an organization of the demo data.
type DemoOrganization struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// A DemoWebhook is a webhook of the demo data. Slug names it in its target URL.
type DemoWebhook struct {
	Name, Slug string
	Type       EventType
	Status     WebhookStatus
	AllItems   bool
	Items      []string // external ids
}

// The demo data as the catalogue's file has it.
type (
	demoItem    map[string]json.RawMessage
	demoWebhook struct {
		Name     string    `json:"name"`
		Type     EventType `json:"event_type"`
		Status   string    `json:"status"`
		AllItems bool      `json:"all_items"`
		Items    []string  `json:"items"`
	}
)

// Demo returns the catalogue's demo data. Callers must not change it.
func Demo() DemoData { return catalogue().demo }

func parseDemo(f *catalogueFile) (DemoData, error) {
	d := DemoData{Organizations: f.Demo.Organizations, Items: make(map[ItemKind][]SyncedItem)}
	for kind, items := range f.Items {
		for _, raw := range items {
			item, err := parseDemoItem(raw)
			if err != nil {
				return DemoData{}, fmt.Errorf("parse an item of kind %s: %w", kind, err)
			}
			d.Items[kind] = append(d.Items[kind], item)
		}
	}
	for _, w := range f.Demo.Webhooks {
		d.Webhooks = append(d.Webhooks, DemoWebhook{
			Name: w.Name, Slug: slug(w.Name), Type: w.Type, Status: WebhookStatus(strings.ToUpper(w.Status)),
			AllItems: w.AllItems, Items: w.Items,
		})
	}
	return d, nil
}

// shownAttributes are the fields of a demo item that Portal would show beside
// its name; the others describe the catalogue itself.
var shownAttributes = []string{
	"severity", "category", "threshold", "threshold_unit", "execution_context", "operating_system", "group",
}

func parseDemoItem(raw demoItem) (SyncedItem, error) {
	var item SyncedItem
	for field, into := range map[string]any{"id": &item.ID, "name": &item.Name, "enabled": &item.Enabled} {
		if err := json.Unmarshal(raw[field], into); err != nil {
			return SyncedItem{}, fmt.Errorf("read %s: %w", field, err)
		}
	}
	var attributes Variables
	for _, field := range shownAttributes {
		if value, ok := raw[field]; ok && string(value) != `""` {
			attributes.JSON(field, value)
		}
	}
	item.Attributes = attributes.Encode()
	return item, nil
}

// slug returns the words of a name, in small letters, joined by dashes.
func slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return strings.Join(words, "-")
}
