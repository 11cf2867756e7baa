package service

import (
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
)

func TestPreviewMessage(t *testing.T) {
	c := newConfiguring(t)
	taking(t, c.Service)
	w := c.create(t, same).Webhook
	id := take(t, c.Service, deliverytest.AlertReport("s")).Events[0]
	preview := func(change func(*PreviewInput)) (*Preview, error) {
		in := PreviewInput{
			OrganizationID: "acme",
			Type:           delivery.ActiveAlert,
			Template:       `{"a":"#alert_name #webhook_name"}`,
		}
		change(&in)
		return c.PreviewMessage(t.Context(), c.admin, in)
	}
	for name, tt := range map[string]struct {
		change func(*PreviewInput)
		want   string
	}{
		"sample values": {
			func(*PreviewInput) {}, `{"a":"Low disk space on system drive ITSM tickets - alerts"}`,
		},
		"a recorded event of a webhook": {
			func(in *PreviewInput) { in.Event, in.Webhook = id, w.ID }, `{"a":"Low disk Tickets"}`,
		},
		"a time zone": {
			func(in *PreviewInput) {
				in.Template, in.TimeZone = `{"a":"#{timestamp|date:\"15:04\"}"}`, "Europe/Madrid"
			}, `{"a":"10:31"}`,
		},
		"a broken template": {func(in *PreviewInput) { in.Template = `{` }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := preview(tt.change)
			if err != nil {
				t.Fatal(err)
			}
			if got.Message != tt.want || got.Bytes != len(tt.want) || (len(got.Problems) > 0) != (tt.want == "") {
				t.Errorf("preview = %+v, want %s", got, tt.want)
			}
		})
	}
	for name, change := range map[string]func(*PreviewInput){
		"an unknown webhook": func(in *PreviewInput) { in.Webhook = 1 },
		"an unknown event":   func(in *PreviewInput) { in.Event = 1 },
	} {
		if _, err := preview(change); delivery.CodeOf(err) != delivery.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := preview(func(in *PreviewInput) {
		in.Type, in.Event = delivery.ObjectCreated,
			id
	}); delivery.CodeOf(err) != delivery.Invalid {
		t.Errorf("an event of another type: %v", err)
	}
}
