package delivery

import (
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"portalhooks/delivery/template"
)

const templatesKept = 2_000

// A compiled is a webhook version's template, ready to render.
type compiled struct {
	template *template.Template
	webhook  string // what #webhook_id shows; empty in a draft
	name     string
}

// compile compiles the template of a version. Problems that are no errors come
// with it; with an error the result is nil.
func compile(t EventType, source, timeZone string) (*template.Template, []template.Problem) {
	zone, err := time.LoadLocation(timeZone)
	if err != nil {
		zone = time.UTC
	}
	return template.Compile(source, catalogue().vocabularies[t], template.Options{TimeZone: zone})
}

// A Renderer makes messages. It keeps compiled templates by version; versions
// are immutable.
type Renderer struct {
	store   versions
	entries *lru.Cache[VersionID, *compiled]
}

// versions is where a Renderer reads webhooks' versions.
type versions interface {
	VersionsByID(ctx context.Context, ids []VersionID) ([]WebhookVersion, error)
}

// NewRenderer returns a renderer with an empty cache.
func NewRenderer(store versions) *Renderer {
	return &Renderer{store: store, entries: newLRU[VersionID, *compiled](templatesKept)}
}

func (k *Renderer) get(ctx context.Context, id VersionID) (*compiled, error) {
	if c, ok := k.entries.Get(id); ok {
		return c, nil
	}
	found, err := k.store.VersionsByID(ctx, []VersionID{id})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", id, err)
	}
	if len(found) == 0 {
		return nil, Errorf(NotFound, "", "There is no version %s of a webhook any more.", id)
	}
	v := &found[0]
	t, problems := compile(v.Type, v.Template, v.Policy.TimeZone)
	if t == nil {
		return nil, Errorf(TemplateInvalid, "", "The template of %s can't be used: %s", id, problems[0])
	}
	c := &compiled{template: t, webhook: v.Webhook.String(), name: v.Name}
	k.entries.Add(id, c)
	return c, nil
}

// Render appends the message of e by the version v to dst; d is the id that
// #delivery_id shows. It returns template.ErrTooLarge for a message over the
// limit, and NotFound or TemplateInvalid for a version that can't be used. The
// same arguments give the same bytes, always.
func (k *Renderer) Render(
	ctx context.Context, dst []byte, e *Event, v VersionID, d DeliveryID,
) ([]byte, error) {
	c, err := k.get(ctx, v)
	if err != nil {
		return dst, err
	}
	return c.message(dst, e, d)
}

// message appends the message of e to dst. What is not known yet, as in a
// preview, keeps the value that e's variables have for it.
func (c *compiled) message(dst []byte, e *Event, d DeliveryID) ([]byte, error) {
	values, err := template.ParseValues(e.Variables)
	if err != nil {
		return dst, Errorf(Invalid, "", "The variables of %s can't be used: %s.", e.ID, err)
	}
	texts := make([]template.Text, 0, 6)
	texts = append(texts, template.Text{Name: varEventTypeID, Text: string(e.Type)})
	if e.ID != 0 {
		texts = append(texts,
			template.Text{Name: varEventID, Text: e.ID.String()}, template.Text{
				Name: varGroupID,
				Text: string(e.Group),
			})
	}
	if c.webhook != "" {
		texts = append(texts, template.Text{Name: varWebhookID, Text: c.webhook})
	}
	if c.name != "" {
		texts = append(texts, template.Text{Name: varWebhookName, Text: c.name})
	}
	if d != 0 {
		texts = append(texts, template.Text{Name: varDeliveryID, Text: d.String()})
	}
	return c.template.Render(dst, values.With(texts...), 0)
}
