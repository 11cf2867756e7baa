package service

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"portalhooks/delivery"
)

// A CreateWebhookInput describes a new webhook.
type CreateWebhookInput struct {
	OrganizationID string // Portal's own id, or our org_…
	Name           string
	Type           delivery.EventType
	TargetURL      string
	Selection      SelectionInput
	Template       *string // the type's default template if nil
	Headers        []HeaderInput
	Policy         *PolicyInput
	Status         delivery.WebhookStatus // enabled if empty
}

// An UpdateWebhookInput changes a webhook. Nil fields change nothing; the event
// type never changes.
type UpdateWebhookInput struct {
	ID                        delivery.WebhookID
	ExpectedVersion           int // the version that the caller has seen
	Name, TargetURL, Template *string
	Selection                 *SelectionInput
	Headers                   *[]HeaderInput
	Policy                    *PolicyInput
}

// A Warning is something about a webhook that was saved all the same.
type Warning struct {
	Code, Message, Field string
	Line, Column         int                // in the template; 0 elsewhere
	Webhook              delivery.WebhookID // the other one of an overlap; else 0
}

// OverlapWarning is the code of a Warning about another webhook that sends some
// of the same events to the same target.
const OverlapWarning = "OVERLAP"

// A CreatedWebhook is a webhook with its new signing secret, which is told this
// once.
type CreatedWebhook struct {
	Webhook  *delivery.Webhook
	Secret   string
	Warnings []Warning
}

// An UpdatedWebhook is a webhook after a change.
type UpdatedWebhook struct {
	Webhook  *delivery.Webhook
	Warnings []Warning
	Canceled int // deliveries that were pending and are canceled by the change, counted up to 10,000
}

// CreateWebhook makes a webhook. It returns Errors for everything that is wrong
// with the input, LimitExceeded when the organization has MaxWebhooks, and
// Duplicate, with Twin, when another of its webhooks is configured the same.
func (s *Service) CreateWebhook(
	ctx context.Context, c delivery.Caller, in CreateWebhookInput,
) (*CreatedWebhook, error) {
	org, err := s.Organization(ctx, c, in.OrganizationID)
	if err != nil {
		return nil, err
	}
	if err := c.CheckConfigure(org.ID); err != nil {
		return nil, err
	}
	return s.create(ctx, c, *org, in)
}

func (s *Service) create(
	ctx context.Context, c delivery.Caller, org delivery.Organization, in CreateWebhookInput,
) (*CreatedWebhook, error) {
	config, err := s.pipeline.Webhooks.Get(ctx, org.ID)
	if err != nil {
		return nil, err
	}
	if len(config.Webhooks) >= MaxWebhooks {
		return nil, delivery.Errorf(
			delivery.LimitExceeded, "", "An organization has at most %d webhooks. Delete one first.", MaxWebhooks,
		)
	}
	d, err := s.compileDraft(ctx, org, in)
	if err != nil {
		return nil, err
	}
	at := delivery.Now()
	w := delivery.Webhook{
		ID: delivery.WebhookID(s.ids.Next()), Org: org.ID, Name: d.Version.Name, Status: delivery.Enabled,
		CreatedAt: at, CreatedBy: c.Name, UpdatedAt: at, UpdatedBy: c.Name,
	}
	if in.Status == delivery.Disabled {
		w.Status, w.DisabledReason, w.DisabledAt = delivery.Disabled, delivery.DisabledByAdmin, at
	}
	secret, text, err := s.newSecret(org.ID, w.ID, at)
	if err != nil {
		return nil, err
	}
	w.Secrets = []delivery.SealedSecret{secret}
	s.version(&w, d, c.Name)
	if err := s.store.CreateWebhook(ctx, w, s.record(c, delivery.WebhookCreated, nil, &w)); err != nil {
		return nil, s.twin(ctx, org.ID, err)
	}
	s.pipeline.Webhooks.Drop(org.ID)
	warnings := append(d.Warnings, s.overlapWarnings(ctx, &w)...)
	return &CreatedWebhook{Webhook: &w, Secret: text, Warnings: warnings}, nil
}

// version gives w its next version, made of d at the time of w's update.
func (s *Service) version(w *delivery.Webhook, d *draft, by string) {
	number := w.Version.Number + 1
	w.Version = d.Version
	w.Version.ID, w.Version.Org, w.Version.Webhook = delivery.VersionID(s.ids.Next()), w.Org, w.ID
	w.Version.Number = number
	w.Version.Headers = s.sealHeaders(w.Org, w.ID, d.Headers)
	w.Version.Listening = w.Status == delivery.Enabled || w.Holding
	w.Version.CreatedAt, w.Version.CreatedBy = w.UpdatedAt, by
	w.Name = w.Version.Name
}

// twin completes a Duplicate error with the name of the other webhook.
func (s *Service) twin(ctx context.Context, org delivery.OrgID, err error) error {
	if delivery.CodeOf(err) != delivery.Duplicate {
		return err
	}
	twin, _ := errors.AsType[*delivery.Error](err)
	name := "Another webhook"
	if found, readErr := s.store.WebhooksByID(ctx, org,
		[]delivery.WebhookID{twin.Twin}); readErr == nil && len(found) == 1 {
		name = fmt.Sprintf("The webhook “%s”", found[0].Name)
	}
	return &delivery.Error{Code: delivery.Duplicate, Twin: twin.Twin, Message: name +
		" has the same event type, target, items and message: the receiver would get everything twice. " +
		"Change one of them, or use the other webhook."}
}

// overlapWarnings warns of the other webhooks that send some of the same
// events to the same target. Where they can't be read there is no warning: the
// webhook is saved.
func (s *Service) overlapWarnings(ctx context.Context, w *delivery.Webhook) []Warning {
	config, err := s.pipeline.Webhooks.Get(ctx, w.Org)
	if err != nil {
		s.log.WarnContext(ctx, "look for overlapping webhooks", "webhook", w.ID, "err", err)
		return nil
	}
	var warnings []Warning
	for _, other := range config.Overlaps(w.ID, &w.Version) {
		message := fmt.Sprintf("The webhook “%s” sends some of the same events to the same URL: "+
			"the receiver gets a message from both.", other.Name)
		if other.Status == delivery.Disabled {
			message = fmt.Sprintf("The webhook “%s”, which is disabled now, would send some of the same events "+
				"to the same URL.", other.Name)
		}
		warnings = append(warnings, Warning{Code: OverlapWarning, Message: message, Webhook: other.ID})
	}
	return warnings
}

// UpdateWebhook changes a webhook's configuration. Messages of events that came
// before are not changed. It returns Errors for everything that is wrong with
// the input, Conflict when the webhook was changed since
// ExpectedVersion, and Duplicate as CreateWebhook does.
func (s *Service) UpdateWebhook(
	ctx context.Context, c delivery.Caller, in UpdateWebhookInput,
) (*UpdatedWebhook, error) {
	w, err := s.configurable(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	if in.ExpectedVersion != w.Version.Number {
		return nil, changed(w.Version.Number)
	}
	d, err := s.revise(ctx, w.Org, w.Version, webhookInput{
		Name: in.Name, Target: in.TargetURL, Template: in.Template,
		Selection: in.Selection, Headers: in.Headers, Policy: in.Policy,
	})
	if err != nil {
		return nil, err
	}
	updated := *w
	updated.UpdatedAt, updated.UpdatedBy = delivery.Now(), c.Name
	s.version(&updated, d, c.Name)
	if sameConfiguration(&w.Version, &updated.Version) {
		return &UpdatedWebhook{Webhook: w, Warnings: append(d.Warnings, s.overlapWarnings(ctx, w)...)}, nil
	}
	if err := s.update(ctx, updated, in.ExpectedVersion, s.record(c, delivery.WebhookUpdated, w,
		&updated)); err != nil {
		return nil, err
	}
	s.recall(ctx, w.ID)
	return &UpdatedWebhook{Webhook: &updated, Warnings: append(d.Warnings, s.overlapWarnings(ctx,
		&updated)...)}, nil
}

// update stores a new version of w over the expected one.
func (s *Service) update(
	ctx context.Context, w delivery.Webhook, expected int, records ...delivery.AuditEntry,
) error {
	err := s.store.UpdateWebhook(ctx, w, expected, records...)
	s.pipeline.Webhooks.Drop(w.Org)
	if delivery.CodeOf(err) != delivery.Conflict {
		return s.twin(ctx, w.Org, err)
	}
	if found, readErr := s.store.WebhooksByID(ctx, w.Org, []delivery.WebhookID{w.ID}); readErr == nil &&
		len(found) == 1 {
		return changed(found[0].Version.Number)
	}
	return err
}

func changed(number int) error {
	return delivery.Errorf(delivery.Conflict, "expectedVersion",
		"Another person has changed the webhook; it is at version %d now. Load it again and repeat your change.",
		number)
}

// sameConfiguration reports whether two versions are configured alike.
func sameConfiguration(a, b *delivery.WebhookVersion) bool {
	return a.Name == b.Name && a.Target == b.Target && a.Template == b.Template &&
		a.Selection.All == b.Selection.All && reflect.DeepEqual(a.Policy, b.Policy) &&
		sameList(a.Selection.Items, b.Selection.Items) && sameList(a.Headers, b.Headers)
}

// sameList compares lists; an empty one is like none.
func sameList[T any](a, b []T) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

// DeleteWebhook deletes a webhook and cancels what is pending, and returns how
// many deliveries that is, counted up to 10,000. Its deliveries stay readable.
func (s *Service) DeleteWebhook(
	ctx context.Context, c delivery.Caller, id delivery.WebhookID,
) (canceled int, err error) {
	w, err := s.configurable(ctx, c, id)
	if err != nil {
		return 0, err
	}
	if canceled, err = s.backlog(ctx, id); err != nil {
		return 0, err
	}
	record := s.record(c, delivery.WebhookDeleted, w, nil)
	if err := s.store.DeleteWebhook(ctx, w.Org, id, delivery.Now(), c.Name, record); err != nil {
		return 0, err
	}
	s.pipeline.Webhooks.Drop(w.Org)
	s.recall(ctx, id)
	return canceled, nil
}
