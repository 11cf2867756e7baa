package cache

import (
	"context"
	"fmt"

	"portalhooks/delivery"
)

// templatesKept is how many bytes compiled templates may weigh together.
const templatesKept = 64 << 20

// A rendering is what is kept of a version: its compiled template.
type rendering struct {
	*delivery.Compiled

	number int // of the version
	source int // length of the template, in bytes
}

// weight is about how many bytes the template takes in memory: its text in pieces.
func (r rendering) weight() int { return 4<<10 + 4*r.source }

// A Renderer makes messages. It keeps compiled templates by version; versions
// are immutable.
type Renderer struct {
	store   versions
	entries *weighed[delivery.VersionID, rendering]
}

// versions is where a Renderer reads webhooks' versions.
type versions interface {
	VersionsByID(ctx context.Context, ids []delivery.VersionID) ([]delivery.WebhookVersion, error)
}

// NewRenderer returns a renderer with an empty cache.
func NewRenderer(store versions) *Renderer {
	return &Renderer{store: store, entries: newWeighed[delivery.VersionID](templatesKept, rendering.weight)}
}

func (k *Renderer) get(ctx context.Context, id delivery.VersionID) (r rendering, err error) {
	if r, ok := k.entries.Get(id); ok {
		return r, nil
	}
	found, err := k.store.VersionsByID(ctx, []delivery.VersionID{id})
	if err != nil {
		return r, fmt.Errorf("read %s: %w", id, err)
	}
	if len(found) == 0 {
		return r, delivery.Errorf(delivery.NotFound, "", "There is no version %s of a webhook any more.", id)
	}
	v := &found[0]
	t, problems := delivery.Compile(v.Type, v.Template, v.Policy.TimeZone)
	if t == nil {
		return r, delivery.Errorf(
			delivery.TemplateInvalid, "", "The template of %s can't be used: %s", id, problems[0],
		)
	}
	r = rendering{
		Compiled: &delivery.Compiled{Template: t, Webhook: v.Webhook.String(), Name: v.Name},
		number:   v.Number, source: len(v.Template),
	}
	k.entries.Add(id, r)
	return r, nil
}

// Number returns the number of a version; 0 for one that can't be used.
func (k *Renderer) Number(ctx context.Context, id delivery.VersionID) int {
	c, err := k.get(ctx, id)
	if err != nil {
		return 0
	}
	return c.number
}

// Render appends the message of e by the version v to dst; d is the id that
// #delivery_id shows. It returns template.ErrTooLarge for a message over the
// limit, and NotFound or TemplateInvalid for a version that can't be used. The
// same arguments give the same bytes, always.
func (k *Renderer) Render(
	ctx context.Context, dst []byte, e *delivery.Event, v delivery.VersionID, d delivery.DeliveryID,
) ([]byte, error) {
	c, err := k.get(ctx, v)
	if err != nil {
		return dst, err
	}
	return c.Message(dst, e, d)
}
