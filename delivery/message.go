package delivery

import (
	"time"

	"portalhooks/delivery/template"
)

// A Compiled is a webhook version's template, ready to render.
type Compiled struct {
	Template *template.Template
	Webhook  string // what #webhook_id shows; empty in a draft
	Name     string
}

// Compile compiles the template of a version. Problems that are no errors come
// with it; with an error the result is nil.
func Compile(t EventType, source, timeZone string) (*template.Template, []template.Problem) {
	zone, err := time.LoadLocation(timeZone)
	if err != nil {
		zone = time.UTC
	}
	return template.Compile(source, catalogue().vocabularies[t], template.Options{TimeZone: zone})
}

// Message appends the message of e to dst. What is not known yet, as in a
// preview, keeps the value that e's variables have for it.
func (c *Compiled) Message(dst []byte, e *Event, d DeliveryID) ([]byte, error) {
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
	if c.Webhook != "" {
		texts = append(texts, template.Text{Name: varWebhookID, Text: c.Webhook})
	}
	if c.Name != "" {
		texts = append(texts, template.Text{Name: varWebhookName, Text: c.Name})
	}
	if d != 0 {
		texts = append(texts, template.Text{Name: varDeliveryID, Text: d.String()})
	}
	return c.Template.Render(dst, values.With(texts...), 0)
}
