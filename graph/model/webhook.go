package model

import (
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
)

// A Webhook is shown with the fields of its current version.
type Webhook struct {
	delivery.Webhook
	With  *WebhookSiblings
	Index int // among With.All
}

// WebhookSiblings are webhooks that one resolver returned together.
type WebhookSiblings struct {
	All          []*delivery.Webhook // without nils
	Organization Field[*Organization]
	Overlaps     Field[[]*Webhook]
	Health       Field[*delivery.WebhookHealth]
	Backlog      Field[delivery.Backlog]
	Counts       Field[service.Counts]
	Items        Field[[]*Item]
}

// NewWebhooks shows all, in order; nil stays nil.
func NewWebhooks(all []*delivery.Webhook) []*Webhook {
	with := &WebhookSiblings{}
	return views(all, func(_ int, w *delivery.Webhook) *Webhook {
		with.All = append(with.All, w)
		return &Webhook{*w, with, len(with.All) - 1}
	})
}

// NewWebhook shows w; nil stays nil.
func NewWebhook(w *delivery.Webhook) *Webhook { return NewWebhooks([]*delivery.Webhook{w})[0] }

// IsNode marks a Node.
func (Webhook) IsNode() {}

// ID is the opaque id.
func (w Webhook) ID() string { return w.Webhook.ID.String() }

// EventType is what it listens to.
func (w Webhook) EventType() EventType { return eventType(w.Webhook.Version.Type) }

// DisabledReason is nil while the webhook is enabled.
func (w Webhook) DisabledReason() *delivery.DisabledReason {
	if w.Webhook.DisabledReason == "" {
		return nil
	}
	return &w.Webhook.DisabledReason
}

// Selection is what items it listens to.
func (w Webhook) Selection() Selection {
	return Selection{All: w.Webhook.Version.Selection.All, Webhook: &w}
}

// Template is the message template.
func (w Webhook) Template() string { return w.Webhook.Version.Template }

// Headers are the custom headers, masked.
func (w Webhook) Headers() []delivery.Header { return w.Webhook.Version.MaskedHeaders() }

// Policy is the policy with its defaults filled in.
func (w Webhook) Policy() Policy { return newPolicy(w.Webhook.Version.Policy) }

// SecretHint is the end of the current signing secret.
func (w Webhook) SecretHint() string {
	if len(w.Secrets) == 0 {
		return ""
	}
	return w.Secrets[0].Hint
}

// PreviousSecretExpiresAt is when the previous secret stops signing; zero when
// there is none.
func (w Webhook) PreviousSecretExpiresAt() time.Time {
	if len(w.Secrets) < 2 || w.Secrets[1].ExpiresAt.Before(time.Now()) {
		return time.Time{}
	}
	return w.Secrets[1].ExpiresAt
}

// Version is the number of the current version.
func (w Webhook) Version() int { return w.Webhook.Version.Number }

// Deleted reports whether the webhook is no more.
func (w Webhook) Deleted() bool { return w.Webhook.Version.Deleted }

// A Selection is shown with the items themselves.
type Selection struct {
	All     bool
	Webhook *Webhook                 // whose it is, or
	Version *delivery.WebhookVersion // of which version
}

// A WebhookVersion is shown with its id as text.
type WebhookVersion struct {
	delivery.WebhookVersion
	Org delivery.OrgID
}

// IsNode marks a Node.
func (WebhookVersion) IsNode() {}

// ID is the opaque id.
func (v WebhookVersion) ID() string { return v.WebhookVersion.ID.String() }

// Selection is what items it listened to.
func (v WebhookVersion) Selection() Selection {
	return Selection{All: v.WebhookVersion.Selection.All, Version: &v.WebhookVersion}
}

// A Policy is shown in seconds, with its defaults filled in.
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
