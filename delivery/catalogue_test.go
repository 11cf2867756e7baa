package delivery

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
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
