package service

import (
	"errors"
	"testing"

	"portalhooks/delivery"
)

// A secret header goes only to the server that it was entered for: an admin who
// does not know the value can't send it to a server of their own.
func TestSecretHeadersStayWithTheirServer(t *testing.T) {
	again := []HeaderInput{{Name: "X-Env"}, {Name: "Authorization", Secret: true}}
	given := []HeaderInput{{Name: "X-Env"}, {Name: "Authorization", Value: new("Bearer other"), Secret: true}}
	for name, tt := range map[string]struct {
		target  string
		headers *[]HeaderInput
		field   string // at fault; empty when the change is accepted
	}{
		"another host":                        {"https://mine.example.org/in", nil, "headers.1.value"},
		"another port":                        {"https://hooks.example.com:8443/in", nil, "headers.1.value"},
		"another scheme":                      {"http://hooks.example.com/in", nil, "headers.1.value"},
		"a subdomain":                         {"https://a.hooks.example.com/in", nil, "headers.1.value"},
		"another host, the header repeated":   {"https://mine.example.org/in", &again, "headers.1.value"},
		"another host, the value entered":     {"https://mine.example.org/in", &given, ""},
		"another host, without the header":    {"https://mine.example.org/in", &[]HeaderInput{{Name: "X-Env"}}, ""},
		"another path":                        {"https://hooks.example.com/other?a=b", nil, ""},
		"another spelling of the same server": {"HTTPS://Hooks.Example.com.:443/in", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newConfiguring(t)
			c.opts.Egress.AllowHTTP, c.opts.Egress.AnyPort = true, true
			w := c.create(t, func(in *CreateWebhookInput) {
				in.TargetURL = "https://hooks.example.com/in"
				in.Headers = []HeaderInput{
					{Name: "X-Env", Value: new("test")},
					{Name: "Authorization", Value: new("Bearer canary"), Secret: true},
				}
			}).Webhook
			_, err := c.UpdateWebhook(t.Context(), c.admin, UpdateWebhookInput{
				ID: w.ID, ExpectedVersion: 1, TargetURL: &tt.target, Headers: tt.headers,
			})
			if tt.field == "" {
				if err != nil {
					t.Errorf("err = %v, want none", err)
				}
				return
			}
			bad, ok := errors.AsType[*delivery.Error](err)
			if !ok || bad.Code != delivery.Required || bad.Field != tt.field {
				t.Errorf("err = %v, want %s of %s", err, delivery.Required, tt.field)
			}
		})
	}
}
