package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portalhooks/delivery/template"
)

// CodeMessageTooLarge is the code of a preview's problem with a message that
// would be over the limit.
const CodeMessageTooLarge template.Code = "MESSAGE_TOO_LARGE"

// A PreviewInput says what message to preview.
type PreviewInput struct {
	OrganizationID string
	Type           EventType
	Template       string
	Webhook        WebhookID // whose name, id and time zone to use; 0 for none
	Event          EventID   // a recorded event; 0 for the catalogue's sample values
	TimeZone       string    // instead of the webhook's
}

// A Preview is a message as it would be sent.
type Preview struct {
	Message  string // empty when one of the problems is an error
	Bytes    int
	Problems []template.Problem
}

// PreviewMessage fills a template as sending would, by the same code. It
// returns NotFound for a webhook or an event that is not the organization's.
func (s *Service) PreviewMessage(ctx context.Context, c Caller, in PreviewInput) (*Preview, error) {
	org, err := s.Organization(ctx, c, in.OrganizationID)
	if err != nil {
		return nil, err
	}
	if _, ok := TypeInfoOf(in.Type); !ok {
		return nil, Errorf(Invalid, "eventType", "There is no such event type.")
	}
	var check checker
	draft := compiled{}
	zone := check.timeZone("timeZone", in.TimeZone)
	if in.Webhook != 0 {
		w, err := s.webhook(ctx, c, in.Webhook)
		if err != nil || w.Org != org.ID {
			return nil, missing("webhookId", err)
		}
		draft.webhook, draft.name = w.ID.String(), w.Name
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
	if err != nil && CodeOf(err) != NotFound {
		return err
	}
	return Errorf(NotFound, field, "There is no such thing in this organization.")
}

// previewed returns a recorded event of the organization and type, or a sample.
func (s *Service) previewed(
	ctx context.Context, c Caller, org Organization, t EventType, id EventID,
) (*Event, error) {
	if id == 0 {
		e := sampleEvent(t, org, time.Now())
		return &e, nil
	}
	found, err := s.EventsByID(ctx, c, []EventID{id})
	if err != nil {
		return nil, err
	}
	switch e := found[0]; {
	case e == nil || e.Org != org.ID:
		return nil, missing("eventId", nil)
	case e.Type != t:
		return nil, Errorf(Invalid, "eventId", "The event is of the type %s. Choose one of the type %s.", e.Type, t)
	default:
		return e, nil
	}
}

func previewOf(c *compiled, t EventType, source, zone string, e *Event) (*Preview, error) {
	p := &Preview{}
	c.template, p.Problems = compile(t, source, zone)
	if c.template == nil {
		return p, nil
	}
	message, err := c.message(nil, e, 0)
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
