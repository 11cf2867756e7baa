package service

import (
	"errors"
	"strings"
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/template"
)

func TestRenderUsesTheVersionOfTheEventsTime(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, func(in *CreateWebhookInput) {
		in.Template = new(`{"m":"#alert_name #webhook_name #event_type_id ` +
			`#event_id #group_id #delivery_id #webhook_id"}`)
	}).Webhook
	old := w.Version.ID
	in := UpdateWebhookInput{
		ID: w.ID, ExpectedVersion: 1, Name: new("Later"),
		Template: new(`{"m":"#webhook_name"}`),
	}
	updated, err := c.UpdateWebhook(t.Context(), c.admin, in)
	if err != nil {
		t.Fatal(err)
	}
	e := delivery.Event{
		ID: 5, Org: c.org.ID, Type: delivery.ActiveAlert, Group: "grp_1",
		Variables: []byte(`{"alert_name":"A \"quoted\" <name>"}`),
	}
	want := `{"m":"A \"quoted\" \u003cname\u003e Tickets ACTIVE_ALERT ` + e.ID.String() + ` grp_1 ` +
		delivery.DeliveryID(9).String() + ` ` + w.ID.String() + `"}`
	for range 2 { // from the store, then from the cache
		got, err := c.pipeline.Renderer.Render(t.Context(), []byte("> "), &e, old, 9)
		if err != nil || string(got) != "> "+want {
			t.Errorf("message %s, err = %v; want %s", got, err, want)
		}
	}
	got, err := c.pipeline.Renderer.Render(t.Context(), nil, &e, updated.Webhook.Version.ID, 9)
	if err != nil || string(got) != `{"m":"Later"}` {
		t.Errorf("message %s, err = %v", got, err)
	}
	if n := c.store.Calls["VersionsByID"]; n != 2 {
		t.Errorf("%d reads of versions, want one each", n)
	}
}

func TestRenderSaysWhatIsWrong(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, func(in *CreateWebhookInput) { in.Template = new(`{"m":"#alert_name"}`) }).Webhook
	huge := delivery.Event{Type: delivery.ActiveAlert, Variables: []byte(`{"alert_name":"` + strings.Repeat("x",
		template.MaxMessage) + `"}`)}
	if _, err := c.pipeline.Renderer.Render(t.Context(), nil, &huge, w.Version.ID, 1); !errors.Is(
		err, template.ErrTooLarge,
	) {
		t.Errorf("a message over the limit: %v", err)
	}
	if _, err := c.pipeline.Renderer.Render(t.Context(), nil, &delivery.Event{Variables: []byte(`{}`)}, 1,
		1); err == nil {
		t.Error("an unknown version renders")
	}
	if _, err := c.pipeline.Renderer.Render(t.Context(), nil, &delivery.Event{Variables: []byte(`[`)},
		w.Version.ID, 1); err == nil {
		t.Error("broken variables render")
	}
}
