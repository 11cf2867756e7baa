package delivery

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestCreateWebhookRefuses(t *testing.T) {
	c := newConfiguring(t)
	header := func(name, value string) []HeaderInput { return []HeaderInput{{Name: name, Value: &value}} }
	seconds := func(f float64) *PolicyInput { return &PolicyInput{TimeoutSeconds: &f} }
	for name, tt := range map[string]struct {
		change func(*CreateWebhookInput)
		field  string
		code   Code
	}{
		"no name": {func(in *CreateWebhookInput) { in.Name = " " }, "name", Required},
		"a long name": {
			func(in *CreateWebhookInput) { in.Name = strings.Repeat("é", 201) }, "name",
			Invalid,
		},
		"a line break in a name": {func(in *CreateWebhookInput) { in.Name = "a\nb" }, "name", Invalid},
		"an unknown type":        {func(in *CreateWebhookInput) { in.Type = "X" }, "eventType", Invalid},
		"an unknown status":      {func(in *CreateWebhookInput) { in.Status = "ON" }, "status", Invalid},
		"no URL":                 {func(in *CreateWebhookInput) { in.TargetURL = "" }, "targetUrl", Required},
		"a private address": {
			func(in *CreateWebhookInput) { in.TargetURL = "https://10.0.0.1/" },
			"targetUrl", URLForbidden,
		},
		"a password in the URL": {
			func(in *CreateWebhookInput) { in.TargetURL = "https://a:b@c.example/" },
			"targetUrl", URLForbidden,
		},
		"broken JSON": {
			func(in *CreateWebhookInput) { in.Template = new(`{"a":}`) }, "template",
			TemplateInvalid,
		},
		"a variable of another type": {
			func(in *CreateWebhookInput) { in.Template = new(`{"a":"#microservice_id"}`) }, "template",
			TemplateInvalid,
		},
		"nothing selected": {
			func(in *CreateWebhookInput) { in.Selection = SelectionInput{} }, "selection",
			Required,
		},
		"an empty list": {
			func(in *CreateWebhookInput) { in.Selection = SelectionInput{ExternalIDs: []string{}} }, "selection",
			Required,
		},
		"all and a list": {func(in *CreateWebhookInput) { in.Selection.All = true }, "selection", Invalid},
		"too many items": {
			func(in *CreateWebhookInput) { in.Selection.ExternalIDs = make([]string, MaxSelectedItems+1) },
			"selection", LimitExceeded,
		},
		"an unknown item": {
			func(in *CreateWebhookInput) { in.Selection.ExternalIDs = []string{"disk", "nothing"} },
			"selection.externalIds.1", NotFound,
		},
		"an item of another kind": {
			func(in *CreateWebhookInput) {
				in.Selection = SelectionInput{ItemIDs: []string{c.items["restart"].String()}}
			}, "selection.itemIds.0", NotFound,
		},
		"an item of another organization": {
			func(in *CreateWebhookInput) {
				in.Selection = SelectionInput{ItemIDs: []string{c.items["foreign"].String()}}
			}, "selection.itemIds.0", NotFound,
		},
		"no item id": {
			func(in *CreateWebhookInput) { in.Selection = SelectionInput{ItemIDs: []string{"disk"}} },
			"selection.itemIds.0", NotFound,
		},
		"Host": {
			func(in *CreateWebhookInput) { in.Headers = header("host", "x") },
			"headers.0.name", HeaderForbidden,
		},
		"Transfer-Encoding": {
			func(in *CreateWebhookInput) { in.Headers = header("TRANSFER-ENCODING", "x") },
			"headers.0.name", HeaderForbidden,
		},
		"TE": {
			func(in *CreateWebhookInput) { in.Headers = header("TE", "x") },
			"headers.0.name", HeaderForbidden,
		},
		"Proxy-": {
			func(in *CreateWebhookInput) { in.Headers = header("Proxy-Authorization", "x") },
			"headers.0.name", HeaderForbidden,
		},
		"a signature header": {
			func(in *CreateWebhookInput) { in.Headers = header("Webhook-Id", "x") },
			"headers.0.name", HeaderForbidden,
		},
		"no header name": {
			func(in *CreateWebhookInput) { in.Headers = header("", "x") }, "headers.0.name",
			Required,
		},
		"no token": {
			func(in *CreateWebhookInput) { in.Headers = header("X Key", "x") },
			"headers.0.name", HeaderForbidden,
		},
		"a smuggled header": {
			func(in *CreateWebhookInput) { in.Headers = header("X-Key", "a\r\nHost: b") },
			"headers.0.value", HeaderForbidden,
		},
		"no header value": {
			func(in *CreateWebhookInput) { in.Headers = []HeaderInput{{Name: "X-Key"}} },
			"headers.0.value", Required,
		},
		"a header twice": {func(in *CreateWebhookInput) {
			in.Headers = append(header("x-a", "1"),
				header("X-A", "2")...)
		}, "headers.1.name", Invalid},
		"too many headers": {
			func(in *CreateWebhookInput) { in.Headers = make([]HeaderInput, 21) }, "headers",
			LimitExceeded,
		},
		"headers over 4 KiB": {func(in *CreateWebhookInput) {
			in.Headers = header("X-A", strings.Repeat("x",
				4<<10))
		}, "headers", LimitExceeded},
		"a timeout too short": {
			func(in *CreateWebhookInput) { in.Policy = seconds(0.5) },
			"policy.timeoutSeconds", Invalid,
		},
		"a timeout too long": {
			func(in *CreateWebhookInput) { in.Policy = seconds(31) },
			"policy.timeoutSeconds", Invalid,
		},
		"an unknown time zone": {
			func(in *CreateWebhookInput) { in.Policy = &PolicyInput{TimeZone: new("Mars/Olympus")} },
			"policy.timeZone", Invalid,
		},
		"the server's own zone": {
			func(in *CreateWebhookInput) { in.Policy = &PolicyInput{TimeZone: new("Local")} },
			"policy.timeZone", Invalid,
		},
		"a pause of nothing": {
			func(in *CreateWebhookInput) { in.Policy = &PolicyInput{RetrySet: true, RetrySeconds: []int{5, 0}} },
			"policy.retrySeconds.1", Invalid,
		},
		"too many retries": {
			func(in *CreateWebhookInput) { in.Policy = &PolicyInput{RetrySet: true, RetrySeconds: make([]int, 21)} },
			"policy.retrySeconds", LimitExceeded,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.CreateWebhook(t.Context(), c.admin, c.input(tt.change))
			problems, ok := errors.AsType[Errors](err)
			if !ok || len(problems) != 1 || problems[0].Field != tt.field || problems[0].Code != tt.code {
				t.Fatalf("err = %+v, want one %s at %s", problems, tt.code, tt.field)
			}
			if tt.code == TemplateInvalid && (problems[0].Line != 1 || problems[0].Column < 2) {
				t.Errorf("position %d:%d", problems[0].Line, problems[0].Column)
			}
		})
	}
	if n := len(c.store.webhooks); n != 0 {
		t.Errorf("%d webhooks were stored", n)
	}
}

func TestCreateWebhookTellsAllProblemsTogether(t *testing.T) {
	c := newConfiguring(t)
	_, err := c.CreateWebhook(t.Context(), c.admin, CreateWebhookInput{
		OrganizationID: "acme", Type: ActiveAlert, TargetURL: "ftp://x", Template: new("{"),
	})
	problems, _ := errors.AsType[Errors](err)
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
		was   Policy
		in    PolicyInput
		field string // at fault; "" when the input is right
		want  Policy
	}{
		"nothing to change": {
			was: Policy{Concurrency: 3, PerMinute: 9}, want: Policy{Concurrency: 3, PerMinute: 9},
		},
		"the most": {
			in:   PolicyInput{Concurrency: new(64), PerMinute: new(60_000)},
			want: Policy{Concurrency: 64, PerMinute: 60_000},
		},
		"back to the defaults": {
			was: Policy{Concurrency: 3, PerMinute: 9},
			in:  PolicyInput{Concurrency: new(0), PerMinute: new(0)},
		},
		"too many at once":     {in: PolicyInput{Concurrency: new(65)}, field: "policy.concurrency"},
		"fewer than none":      {in: PolicyInput{Concurrency: new(-1)}, field: "policy.concurrency"},
		"too many in a minute": {in: PolicyInput{PerMinute: new(60_001)}, field: "policy.maxPerMinute"},
		"none in a minute":     {in: PolicyInput{PerMinute: new(-1)}, field: "policy.maxPerMinute"},
		"in order":             {in: PolicyInput{Ordered: new(true)}, want: Policy{Ordered: true}},
		"in order, several at once": {
			was: Policy{Concurrency: 3}, in: PolicyInput{Ordered: new(true)}, field: "policy.concurrency",
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
