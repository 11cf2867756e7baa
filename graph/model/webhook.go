package model

import (
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
)

// A Webhook is a webhook of the GraphQL API, with the fields of its current version.
type Webhook struct {
	delivery.Webhook
	With  *WebhookSiblings
	Index int // among With.All
}

// WebhookSiblings are webhooks that a resolver returned together.
type WebhookSiblings struct {
	All          []*delivery.Webhook // without nils
	Organization Field[*Organization]
	Overlaps     Field[[]*Webhook]
	Health       Field[*delivery.WebhookHealth]
	Backlog      Field[delivery.Backlog]
	Counts       Field[service.Counts]
	Items        Field[[]*Item]
}

// NewWebhooks returns the views of all, in order; nil for nil.
func NewWebhooks(all []*delivery.Webhook) []*Webhook {
	with := &WebhookSiblings{}
	return views(all, func(_ int, w *delivery.Webhook) *Webhook {
		with.All = append(with.All, w)
		return &Webhook{*w, with, len(with.All) - 1}
	})
}

// NewWebhook returns the view of w; nil for nil.
func NewWebhook(w *delivery.Webhook) *Webhook { return NewWebhooks([]*delivery.Webhook{w})[0] }

// IsNode marks a Node.
func (Webhook) IsNode() {}

// ID is the opaque id.
func (w Webhook) ID() string { return w.Webhook.ID.String() }

// EventType is the type of the events that it receives.
func (w Webhook) EventType() EventType { return eventType(w.Webhook.Version.Type) }

// DisabledReason is nil if the webhook is enabled.
func (w Webhook) DisabledReason() *delivery.DisabledReason {
	if w.Webhook.DisabledReason == "" {
		return nil
	}
	return &w.Webhook.DisabledReason
}

// Selection is the items whose events it receives.
func (w Webhook) Selection() Selection {
	return Selection{All: w.Webhook.Version.Selection.All, Webhook: &w}
}

// Template is the message template.
func (w Webhook) Template() string { return w.Webhook.Version.Template }

// Headers are the custom headers, masked.
func (w Webhook) Headers() []delivery.Header { return w.Webhook.Version.MaskedHeaders() }

// Policy is the delivery policy with defaults applied.
func (w Webhook) Policy() Policy { return newPolicy(w.Webhook.Version.Policy) }

// SecretHint is the end of the current signing secret.
func (w Webhook) SecretHint() string {
	if len(w.Secrets) == 0 {
		return ""
	}
	return w.Secrets[0].Hint
}

// PreviousSecretExpiresAt is the expiry of the previous secret; zero if there is
// none.
func (w Webhook) PreviousSecretExpiresAt() time.Time {
	if len(w.Secrets) < 2 || w.Secrets[1].ExpiresAt.Before(time.Now()) {
		return time.Time{}
	}
	return w.Secrets[1].ExpiresAt
}

// Version is the number of the current version.
func (w Webhook) Version() int { return w.Webhook.Version.Number }

// Deleted reports whether the webhook was deleted.
func (w Webhook) Deleted() bool { return w.Webhook.Version.Deleted }

// A Selection is a selection of the GraphQL API. Exactly one of Webhook and Version
// is set.
type Selection struct {
	All     bool
	Webhook *Webhook                 // of this webhook
	Version *delivery.WebhookVersion // of this version
}

// A WebhookVersion is a version of a webhook of the GraphQL API.
type WebhookVersion struct {
	delivery.WebhookVersion
	Org delivery.OrgID
}

// IsNode marks a Node.
func (WebhookVersion) IsNode() {}

// ID is the opaque id.
func (v WebhookVersion) ID() string { return v.WebhookVersion.ID.String() }

// Selection is the items whose events it received.
func (v WebhookVersion) Selection() Selection {
	return Selection{All: v.WebhookVersion.Selection.All, Version: &v.WebhookVersion}
}

// A Policy is a delivery policy in seconds, with defaults applied.
type Policy struct {
	TimeoutSeconds float64
	RetrySeconds   []int
	StopOn4xx      bool
	TimeZone       string
	Concurrency    int
	MaxPerMinute   *int
	Ordered        bool
}

func newPolicy(p delivery.Policy) Policy {
	p = p.WithDefaults()
	out := Policy{
		TimeoutSeconds: p.Timeout.Seconds(), StopOn4xx: p.Stop4xx, TimeZone: p.TimeZone,
		Concurrency: p.Concurrency, Ordered: p.Ordered,
	}
	if p.Ordered {
		out.Concurrency = 1
	}
	if p.PerMinute > 0 {
		out.MaxPerMinute = &p.PerMinute
	}
	for _, pause := range p.Retry {
		out.RetrySeconds = append(out.RetrySeconds, int(pause/time.Second))
	}
	return out
}

func eventType(t delivery.EventType) EventType {
	info, _ := delivery.TypeInfoOf(t)
	return EventType{info}
}
