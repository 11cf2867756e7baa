package service

import (
	"time"
	"unicode/utf8"

	"portalhooks/delivery"
)

// auditedTemplate is how much of a template a record has, in bytes. All of it
// is in the webhook's versions.
const auditedTemplate = 2000

func webhookObject(w *delivery.Webhook) delivery.AuditObject {
	return delivery.AuditObject{Type: delivery.WebhookObject, ID: w.ID.String(), Name: w.Name}
}

// record is the audit log's entry of a change of a webhook; nil stands for one
// that is not there.
func (s *Service) record(
	c delivery.Caller, a delivery.Action, before, after *delivery.Webhook,
) delivery.AuditEntry {
	var was, is traits
	w := before
	if before != nil {
		was = webhookTraits(before)
	}
	if after != nil {
		w, is = after, webhookTraits(after)
	}
	return entry(s.ids, c, w.Org, a, webhookObject(w), differences(was, is))
}

// recordSecrets does the same for a change of its signing secrets.
func (s *Service) recordSecrets(
	c delivery.Caller, a delivery.Action, w *delivery.Webhook, before, after []delivery.SealedSecret,
) delivery.AuditEntry {
	return entry(s.ids, c, w.Org, a, webhookObject(w), differences(secretTraits(before), secretTraits(after)))
}

// webhookTraits are a webhook's fields as a viewer sees them.
func webhookTraits(w *delivery.Webhook) traits {
	v := &w.Version
	all := traits{
		{field: "name", value: v.Name},
		{field: "eventType", value: v.Type},
		{field: "targetUrl", value: delivery.MaskURL(v.Target), exact: v.Target},
		{field: "status", value: w.Status},
		{field: "disabledReason"},
		{field: "hold", value: w.Holding},
		{field: "selection", value: selectionFact(v.Selection)},
		{field: "template", value: beginning(v.Template, auditedTemplate), exact: v.Template},
		{field: "headers", value: headersFact(v.MaskedHeaders()), exact: sealedValues(v.Headers)},
		{field: "policy", value: policyFact(v.Policy)},
	}
	if w.DisabledReason != "" {
		all[4].value = w.DisabledReason
	}
	return all
}

func selectionFact(s delivery.Selection) any {
	texts := make([]string, len(s.Items))
	for i, id := range s.Items {
		texts[i] = id.String()
	}
	return struct {
		All   bool     `json:"all"`
		Items []string `json:"items,omitempty"`
	}{s.All, texts}
}

func policyFact(p delivery.Policy) any {
	p = p.WithDefaults()
	pauses := make([]float64, len(p.Retry))
	for i, pause := range p.Retry {
		pauses[i] = pause.Seconds()
	}
	return struct {
		TimeoutSeconds float64   `json:"timeoutSeconds"`
		RetrySeconds   []float64 `json:"retrySeconds"`
		StopOn4xx      bool      `json:"stopOn4xx"`
		TimeZone       string    `json:"timeZone"`
		Concurrency    int       `json:"concurrency"`
		MaxPerMinute   int       `json:"maxPerMinute,omitempty"`
		Ordered        bool      `json:"ordered"`
	}{p.Timeout.Seconds(), pauses, p.Stop4xx, p.TimeZone, p.Concurrency, p.PerMinute, p.Ordered}
}

func headersFact(headers []delivery.Header) any {
	type shown struct {
		Name   string `json:"name"`
		Value  string `json:"value"`
		Secret bool   `json:"secret"`
	}
	all := make([]shown, len(headers))
	for i, h := range headers {
		all[i] = shown(h)
	}
	return all
}

// sealedValues tells secret headers apart without opening them.
func sealedValues(headers []delivery.StoredHeader) string {
	var all []byte
	for _, h := range headers {
		all = append(all, h.Sealed...)
	}
	return string(all)
}

// secretTraits say of signing secrets what tells them apart for people.
func secretTraits(secrets []delivery.SealedSecret) traits {
	type shown struct {
		Hint      string `json:"hint"`
		ExpiresAt string `json:"expiresAt,omitempty"`
	}
	all := make([]shown, len(secrets))
	for i, s := range secrets {
		all[i] = shown{s.Hint, delivery.FormatTime(s.ExpiresAt.Truncate(time.Millisecond))}
	}
	return traits{{field: "secrets", value: all}}
}

// beginning returns the first n bytes of text, cut between two characters.
func beginning(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}
