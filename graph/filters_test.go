package graph

import (
	"reflect"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/graph/gen"
)

var (
	noon    = time.Date(2026, 1, 14, 12, 0, 0, 0, time.UTC)
	evening = noon.Add(6 * time.Hour)
)

func TestDeliveryFilter(t *testing.T) {
	t.Parallel()
	got, err := deliveryFilter(&gen.DeliveryFilter{
		WebhookIds: []string{delivery.WebhookID(7).String()},
		EventTypes: []delivery.EventType{delivery.ActiveAlert},
		States:     []delivery.State{delivery.Failed}, Outcomes: []delivery.Outcome{delivery.RuleFailed},
		HTTPStatus: &gen.IntRange{From: new(int32(400)), To: new(int32(499))},
		Triggers:   []delivery.Trigger{delivery.ByTest},
		EventID:    new(delivery.EventID(8).String()), GroupID: new("grp_1"),
		ItemID: new(delivery.ItemID(9).String()), WorkspaceID: new("ws"),
		CreatedAfter: &noon, CreatedBefore: &evening, Text: new("disk"),
	})
	want := delivery.DeliveryFilter{
		Webhooks: []delivery.WebhookID{7}, Types: []delivery.EventType{delivery.ActiveAlert},
		States: []delivery.State{delivery.Failed}, Outcomes: []delivery.Outcome{delivery.RuleFailed},
		StatusFrom: 400, StatusTo: 499, Triggers: []delivery.Trigger{delivery.ByTest}, Event: 8, Group: "grp_1",
		Item: 9, WorkspaceID: "ws", After: noon, Before: evening, Text: "disk",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	wholeFilter(t, want)
	if got, err := deliveryFilter(nil); err != nil || !reflect.DeepEqual(got, delivery.DeliveryFilter{}) {
		t.Errorf("no filter: got %+v, %v", got, err)
	}
}

// wholeFilter fails t unless all fields of a filter are set.
func wholeFilter(t *testing.T, filter any) {
	t.Helper()
	v := reflect.ValueOf(filter)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s.%s is not tested", v.Type(), v.Type().Field(i).Name)
		}
	}
}

func TestStatusRangesMayBeOpen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		given    gen.IntRange
		from, to int
	}{
		"from": {gen.IntRange{From: new(int32(500))}, 500, 999},
		"to":   {gen.IntRange{To: new(int32(299))}, 1, 299},
		"any":  {gen.IntRange{}, 1, 999},
	} {
		got, err := deliveryFilter(&gen.DeliveryFilter{HTTPStatus: &tt.given})
		if err != nil || got.StatusFrom != tt.from || got.StatusTo != tt.to {
			t.Errorf("%s: got %d to %d, %v; want %d to %d", name, got.StatusFrom, got.StatusTo, err, tt.from, tt.to)
		}
	}
}

func TestEventFilter(t *testing.T) {
	t.Parallel()
	got, err := eventFilter(&gen.EventFilter{
		Types: []delivery.EventType{delivery.ActiveAlert}, ItemID: new(delivery.ItemID(9).String()),
		GroupID: new("grp_1"), WorkspaceID: new("ws"), SourceEventID: new("src"),
		ReceivedAfter: &noon, ReceivedBefore: &evening,
	})
	want := delivery.EventFilter{
		Types: []delivery.EventType{delivery.ActiveAlert}, Item: 9, Group: "grp_1", WorkspaceID: "ws",
		SourceEventID: "src", After: noon, Before: evening,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	wholeFilter(t, want)
}

func TestWebhookFilter(t *testing.T) {
	t.Parallel()
	got, err := webhookFilter(&gen.WebhookFilter{
		Search: new("slack"), EventTypes: []delivery.EventType{delivery.ActiveAlert},
		Status: new(delivery.Disabled), ItemID: new(delivery.ItemID(9).String()),
	})
	want := delivery.WebhookFilter{
		Search: "slack", Types: []delivery.EventType{delivery.ActiveAlert}, Status: delivery.Disabled, Item: 9,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	wholeFilter(t, want)
}

func TestFiltersBlameTheID(t *testing.T) {
	t.Parallel()
	for field, filter := range map[string]gen.DeliveryFilter{
		"filter.webhookIds.1": {WebhookIds: []string{delivery.WebhookID(7).String(), "wh_1"}},
		"filter.eventId":      {EventID: new(delivery.ItemID(9).String())},
		"filter.itemId":       {ItemID: new("")},
	} {
		_, err := deliveryFilter(&filter)
		refused(t, field, err, delivery.Invalid, field)
	}
	_, err := eventFilter(&gen.EventFilter{ItemID: new("x")})
	refused(t, "events", err, delivery.Invalid, "filter.itemId")
	_, err = webhookFilter(&gen.WebhookFilter{ItemID: new("x")})
	refused(t, "webhooks", err, delivery.Invalid, "filter.itemId")
}
