package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/template"
)

// CodeMessageTooLarge is the code of a preview's problem with a message that
// would be over the limit.
const CodeMessageTooLarge template.Code = "MESSAGE_TOO_LARGE"

// A PreviewInput says what message to preview.
type PreviewInput struct {
	OrganizationID string
	Type           delivery.EventType
	Template       string
	Webhook        delivery.WebhookID // whose name, id and time zone to use; 0 for none
	Event          delivery.EventID   // a recorded event; 0 for the catalogue's sample values
	TimeZone       string             // instead of the webhook's
}

// A Preview is a message as it would be sent.
type Preview struct {
	Message  string // empty when one of the problems is an error
	Bytes    int
	Problems []template.Problem
}

// PreviewMessage fills a template as sending would, by the same code. It
// returns NotFound for a webhook or an event that is not the organization's.
func (s *Service) PreviewMessage(ctx context.Context, c delivery.Caller, in PreviewInput) (*Preview, error) {
	org, err := s.Organization(ctx, c, in.OrganizationID)
	if err != nil {
		return nil, err
	}
	if _, ok := delivery.TypeInfoOf(in.Type); !ok {
		return nil, delivery.Errorf(delivery.Invalid, "eventType", "There is no such event type.")
	}
	var check checker
	draft := delivery.Compiled{}
	zone := check.timeZone("timeZone", in.TimeZone)
	if in.Webhook != 0 {
		w, err := s.webhook(ctx, c, in.Webhook)
		if err != nil || w.Org != org.ID {
			return nil, missing("webhookId", err)
		}
		draft.Webhook, draft.Name = w.ID.String(), w.Name
		if zone == "" {
			zone = w.Version.Policy.TimeZone
		}
	}
	if len(check.Errors) > 0 {
		return nil, check.Errors
	}
	e, err := s.previewed(ctx, c, *org, in.Type, in.Event)
	if err != nil {
		return nil, err
	}
	return previewOf(&draft, in.Type, in.Template, zone, e)
}

// missing is the answer for something that is not the organization's.
func missing(field string, err error) error {
	if err != nil && delivery.CodeOf(err) != delivery.NotFound {
		return err
	}
	return delivery.Errorf(delivery.NotFound, field, "There is no such thing in this organization.")
}

// previewed returns a recorded event of the organization and type, or a sample.
func (s *Service) previewed(
	ctx context.Context, c delivery.Caller, org delivery.Organization, t delivery.EventType, id delivery.EventID,
) (*delivery.Event, error) {
	if id == 0 {
		e := delivery.SampleEvent(t, org, time.Now())
		return &e, nil
	}
	found, err := s.EventsByID(ctx, c, []delivery.EventID{id})
	if err != nil {
		return nil, err
	}
	switch e := found[0]; {
	case e == nil || e.Org != org.ID:
		return nil, missing("eventId", nil)
	case e.Type != t:
		return nil, delivery.Errorf(
			delivery.Invalid, "eventId", "The event is of the type %s. Choose one of the type %s.", e.Type, t,
		)
	default:
		return e, nil
	}
}

func previewOf(
	c *delivery.Compiled, t delivery.EventType, source, zone string, e *delivery.Event,
) (*Preview, error) {
	p := &Preview{}
	c.Template, p.Problems = delivery.Compile(t, source, zone)
	if c.Template == nil {
		return p, nil
	}
	message, err := c.Message(nil, e, 0)
	switch {
	case errors.Is(err, template.ErrTooLarge):
		p.Problems = append(p.Problems, template.Problem{
			Severity: template.SeverityError, Code: CodeMessageTooLarge, Line: 1, Column: 1,
			Message: fmt.Sprintf("The message would have more than %d KiB and would not be sent. Shorten it.",
				template.MaxMessage>>10),
		})
	case err != nil:
		return nil, err
	}
	p.Message, p.Bytes = string(message), len(message)
	return p, nil
}
