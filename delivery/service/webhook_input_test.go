package service

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"portalhooks/delivery"
)

func TestCreateWebhookRefuses(t *testing.T) {
	c := newConfiguring(t)
	header := func(name, value string) []HeaderInput { return []HeaderInput{{Name: name, Value: &value}} }
	seconds := func(f float64) *PolicyInput { return &PolicyInput{TimeoutSeconds: &f} }
	for name, tt := range map[string]struct {
		change func(*CreateWebhookInput)
		field  string
		code   delivery.Code
	}{
		"no name": {func(in *CreateWebhookInput) { in.Name = " " }, "name", delivery.Required},
		"a long name": {
			func(in *CreateWebhookInput) { in.Name = strings.Repeat("é", 201) }, "name",
			delivery.Invalid,
		},
		"a line break in a name": {func(in *CreateWebhookInput) { in.Name = "a\nb" }, "name", delivery.Invalid},
		"an unknown type":        {func(in *CreateWebhookInput) { in.Type = "X" }, "eventType", delivery.Invalid},
		"an unknown status":      {func(in *CreateWebhookInput) { in.Status = "ON" }, "status", delivery.Invalid},
		"no URL":                 {func(in *CreateWebhookInput) { in.TargetURL = "" }, "targetUrl", delivery.Required},
		"a private address": {
			func(in *CreateWebhookInput) { in.TargetURL = "https://10.0.0.1/" },
			"targetUrl", delivery.URLForbidden,
		},
		"a password in the URL": {
			func(in *CreateWebhookInput) { in.TargetURL = "https://a:b@c.example/" },
			"targetUrl", delivery.URLForbidden,
		},
		"broken JSON": {
			func(in *CreateWebhookInput) { in.Template = new(`{"a":}`) }, "template",
			delivery.TemplateInvalid,
		},
		"a variable of another type": {
			func(in *CreateWebhookInput) { in.Template = new(`{"a":"#microservice_id"}`) }, "template",
			delivery.TemplateInvalid,
		},
		"nothing selected": {
			func(in *CreateWebhookInput) { in.Selection = SelectionInput{} }, "selection",
			delivery.Required,
		},
		"an empty list": {
			func(in *CreateWebhookInput) { in.Selection = SelectionInput{ExternalIDs: []string{}} }, "selection",
			delivery.Required,
		},
		"all and a list": {func(in *CreateWebhookInput) { in.Selection.All = true }, "selection", delivery.Invalid},
		"too many items": {
			func(in *CreateWebhookInput) { in.Selection.ExternalIDs = make([]string, MaxSelectedItems+1) },
			"selection", delivery.LimitExceeded,
		},
		"an unknown item": {
			func(in *CreateWebhookInput) { in.Selection.ExternalIDs = []string{"disk", "nothing"} },
			"selection.externalIds.1", delivery.NotFound,
		},
		"an item of another kind": {
			func(in *CreateWebhookInput) {
				in.Selection = SelectionInput{ItemIDs: []string{c.items["restart"].String()}}
			}, "selection.itemIds.0", delivery.NotFound,
		},
		"an item of another organization": {
			func(in *CreateWebhookInput) {
				in.Selection = SelectionInput{ItemIDs: []string{c.items["foreign"].String()}}
			}, "selection.itemIds.0", delivery.NotFound,
		},
		"no item id": {
			func(in *CreateWebhookInput) { in.Selection = SelectionInput{ItemIDs: []string{"disk"}} },
			"selection.itemIds.0", delivery.NotFound,
		},
		"Host": {
			func(in *CreateWebhookInput) { in.Headers = header("host", "x") },
			"headers.0.name", delivery.HeaderForbidden,
		},
		"Transfer-Encoding": {
			func(in *CreateWebhookInput) { in.Headers = header("TRANSFER-ENCODING", "x") },
			"headers.0.name", delivery.HeaderForbidden,
		},
		"TE": {
			func(in *CreateWebhookInput) { in.Headers = header("TE", "x") },
			"headers.0.name", delivery.HeaderForbidden,
		},
		"Proxy-": {
			func(in *CreateWebhookInput) { in.Headers = header("Proxy-Authorization", "x") },
			"headers.0.name", delivery.HeaderForbidden,
		},
		"a signature header": {
			func(in *CreateWebhookInput) { in.Headers = header("Webhook-Id", "x") },
			"headers.0.name", delivery.HeaderForbidden,
		},
		"no header name": {
			func(in *CreateWebhookInput) { in.Headers = header("", "x") }, "headers.0.name",
			delivery.Required,
		},
		"no token": {
			func(in *CreateWebhookInput) { in.Headers = header("X Key", "x") },
			"headers.0.name", delivery.HeaderForbidden,
		},
		"a smuggled header": {
			func(in *CreateWebhookInput) { in.Headers = header("X-Key", "a\r\nHost: b") },
			"headers.0.value", delivery.HeaderForbidden,
		},
		"no header value": {
			func(in *CreateWebhookInput) { in.Headers = []HeaderInput{{Name: "X-Key"}} },
			"headers.0.value", delivery.Required,
		},
		"a header twice": {func(in *CreateWebhookInput) {
			in.Headers = append(header("x-a", "1"),
				header("X-A", "2")...)
		}, "headers.1.name", delivery.Invalid},
		"too many headers": {
			func(in *CreateWebhookInput) { in.Headers = make([]HeaderInput, 21) }, "headers",
			delivery.LimitExceeded,
		},
		"headers over 4 KiB": {func(in *CreateWebhookInput) {
			in.Headers = header("X-A", strings.Repeat("x",
				4<<10))
		}, "headers", delivery.LimitExceeded},
		"a timeout too short": {
			func(in *CreateWebhookInput) { in.Policy = seconds(0.5) },
			"policy.timeoutSeconds", delivery.Invalid,
		},
		"a timeout too long": {
			func(in *CreateWebhookInput) { in.Policy = seconds(31) },
			"policy.timeoutSeconds", delivery.Invalid,
		},
		"an unknown time zone": {
			func(in *CreateWebhookInput) { in.Policy = &PolicyInput{TimeZone: new("Mars/Olympus")} },
			"policy.timeZone", delivery.Invalid,
		},
		"the server's own zone": {
			func(in *CreateWebhookInput) { in.Policy = &PolicyInput{TimeZone: new("Local")} },
			"policy.timeZone", delivery.Invalid,
		},
		"a pause of nothing": {
			func(in *CreateWebhookInput) { in.Policy = &PolicyInput{RetrySet: true, RetrySeconds: []int{5, 0}} },
			"policy.retrySeconds.1", delivery.Invalid,
		},
		"too many retries": {
			func(in *CreateWebhookInput) { in.Policy = &PolicyInput{RetrySet: true, RetrySeconds: make([]int, 21)} },
			"policy.retrySeconds", delivery.LimitExceeded,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.CreateWebhook(t.Context(), c.admin, c.input(tt.change))
			problems, ok := errors.AsType[delivery.Errors](err)
			if !ok || len(problems) != 1 || problems[0].Field != tt.field || problems[0].Code != tt.code {
				t.Fatalf("err = %+v, want one %s at %s", problems, tt.code, tt.field)
			}
			if tt.code == delivery.TemplateInvalid && (problems[0].Line != 1 || problems[0].Column < 2) {
				t.Errorf("position %d:%d", problems[0].Line, problems[0].Column)
			}
		})
	}
	if n := len(c.store.WebhookRows); n != 0 {
		t.Errorf("%d webhooks were stored", n)
	}
}

func TestCreateWebhookTellsAllProblemsTogether(t *testing.T) {
	c := newConfiguring(t)
	_, err := c.CreateWebhook(t.Context(), c.admin, CreateWebhookInput{
		OrganizationID: "acme", Type: delivery.ActiveAlert, TargetURL: "ftp://x", Template: new("{"),
	})
	problems, _ := errors.AsType[delivery.Errors](err)
	var fields []string
	for _, p := range problems {
		fields = append(fields, p.Field)
	}
	if want := []string{"name", "targetUrl", "template", "selection"}; !slices.Equal(fields, want) {
		t.Errorf("fields = %v, want %v", fields, want)
	}
}

func TestThePaceOfAPolicy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		was   delivery.Policy
		in    PolicyInput
		field string // at fault; "" when the input is right
		want  delivery.Policy
	}{
		"nothing to change": {
			was: delivery.Policy{Concurrency: 3, PerMinute: 9}, want: delivery.Policy{Concurrency: 3, PerMinute: 9},
		},
		"the most": {
			in:   PolicyInput{Concurrency: new(64), PerMinute: new(60_000)},
			want: delivery.Policy{Concurrency: 64, PerMinute: 60_000},
		},
		"back to the defaults": {
			was: delivery.Policy{Concurrency: 3, PerMinute: 9},
			in:  PolicyInput{Concurrency: new(0), PerMinute: new(0)},
		},
		"too many at once":     {in: PolicyInput{Concurrency: new(65)}, field: "policy.concurrency"},
		"fewer than none":      {in: PolicyInput{Concurrency: new(-1)}, field: "policy.concurrency"},
		"too many in a minute": {in: PolicyInput{PerMinute: new(60_001)}, field: "policy.maxPerMinute"},
		"none in a minute":     {in: PolicyInput{PerMinute: new(-1)}, field: "policy.maxPerMinute"},
		"in order":             {in: PolicyInput{Ordered: new(true)}, want: delivery.Policy{Ordered: true}},
		"in order, several at once": {
			was: delivery.Policy{Concurrency: 3}, in: PolicyInput{Ordered: new(true)}, field: "policy.concurrency",
		},
	} {
		var c checker
		got := c.policy(tt.was, &tt.in)
		switch {
		case tt.field == "" && (len(c.Errors) > 0 || !reflect.DeepEqual(got, tt.want)):
			t.Errorf("%s: got %+v, %v, want %+v", name, got, c.Errors, tt.want)
		case tt.field != "" && (len(c.Errors) != 1 || c.Errors[0].Field != tt.field):
			t.Errorf("%s: got %v, want an error about %s", name, c.Errors, tt.field)
		}
	}
}
