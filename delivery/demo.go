package delivery

import (
	"context"
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
	var attributes variables
	for _, field := range shownAttributes {
		if value, ok := raw[field]; ok && string(value) != `""` {
			attributes.json(field, value)
		}
	}
	item.Attributes = attributes.encode()
	return item, nil
}

// slug returns the words of a name, in small letters, joined by dashes.
func slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return strings.Join(words, "-")
}

// demoAuthor is who appears to have made the demo webhooks.
const demoAuthor = "demo"

// Seed fills an empty database with the demo data; one that has any
// organization is left as it is. The webhooks send to receiverBase + "/echo/"
// and their slug.
func (s *Service) Seed(ctx context.Context, receiverBase string) error {
	slice, err := s.store.Organizations(ctx, nil, "", Page{First: 1})
	if err != nil {
		return fmt.Errorf("look for organizations: %w", err)
	}
	if len(slice.Items) > 0 {
		return nil
	}
	demo := Demo()
	known := make([]Organization, len(demo.Organizations))
	for i, org := range demo.Organizations {
		if known[i], err = s.pipeline.Ingester.Organization(ctx, 0, org.ID, org.Name); err != nil {
			return err
		}
	}
	org := known[0]
	portal := Caller{Name: demoAuthor, Portal: true}
	for kind, items := range demo.Items {
		_, err := s.SyncItems(ctx, portal, SyncItemsInput{
			OrganizationID: org.ExternalID, Kind: kind, Items: items, Complete: true,
		})
		if err != nil {
			return fmt.Errorf("seed items of kind %s: %w", kind, err)
		}
	}
	for _, w := range demo.Webhooks {
		if err := s.seedWebhook(ctx, org, w, receiverBase); err != nil {
			return fmt.Errorf("seed the webhook %q: %w", w.Name, err)
		}
	}
	return nil
}

func (s *Service) seedWebhook(
	ctx context.Context, org Organization, w DemoWebhook, receiverBase string,
) error {
	status := w.Status
	if info, ok := TypeInfoOf(w.Type); ok && info.ItemKind == OperationItem {
		// The catalogue shows one of these disabled. Here both are enabled, so
		// that the Restart example sends all it can: one message for the
		// operation and one for each of its devices.
		status = Enabled
	}
	selection := SelectionInput{All: w.AllItems}
	if !w.AllItems {
		selection.ExternalIDs = w.Items
	}
	_, err := s.create(ctx, Caller{Name: demoAuthor, kind: BySystem}, org, CreateWebhookInput{
		Name: w.Name, Type: w.Type, TargetURL: receiverBase + "/echo/" + w.Slug, Selection: selection,
		Status: status,
	})
	return err
}
