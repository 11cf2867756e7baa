package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a template's time zone must exist on every machine, or messages would differ
	"unicode"
	"unicode/utf8"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/template"
)

// Limits of a webhook.
const (
	MaxWebhooks      = 1_000 // in one organization
	MaxWebhookName   = 200   // characters
	MaxSelectedItems = 10_000
)

// A HeaderInput is a custom request header.
type HeaderInput struct {
	Name   string
	Value  *string // nil on update: keep the stored value
	Secret bool
}

// A PolicyInput changes how messages are sent. Nil fields change nothing.
type PolicyInput struct {
	TimeoutSeconds *float64
	RetrySeconds   []int // the pauses; nil for the default ones
	RetrySet       bool  // whether RetrySeconds counts
	Stop4xx        *bool
	TimeZone       *string // IANA name; empty for UTC
	Concurrency    *int    // 0 for the server's default
	PerMinute      *int    // 0 for no limit
	Ordered        *bool
}

// A webhookInput is what can be changed of a webhook. Nil fields change
// nothing.
type webhookInput struct {
	Name, Target, Template *string
	Selection              *SelectionInput
	Headers                *[]HeaderInput
	Policy                 *PolicyInput
}

// A checker collects what is wrong with the input of a caller.
type checker struct{ delivery.Checker }

// A draft is a checked configuration that is not stored yet.
type draft struct {
	Version  delivery.WebhookVersion // without ids and times; its headers are as Headers says
	Headers  []draftHeader
	Template *template.Template
	Warnings []Warning
}

// compileDraft checks a webhook that is to be made in org. It returns Errors
// that name everything that is wrong with it.
func (s *Service) compileDraft(
	ctx context.Context, org delivery.Organization, in CreateWebhookInput,
) (*draft, error) {
	info, ok := delivery.TypeInfoOf(in.Type)
	if !ok {
		return nil, delivery.Errors{delivery.Errorf(delivery.Invalid, "eventType", "There is no such event type.")}
	}
	source := info.DefaultTemplate
	if in.Template != nil {
		source = *in.Template
	}
	var status checker
	if in.Status != "" && in.Status != delivery.Enabled && in.Status != delivery.Disabled {
		status.Fail(delivery.Invalid, "status", "The status is ENABLED or DISABLED.")
	}
	headers := in.Headers
	d, err := s.revise(ctx, org.ID, delivery.WebhookVersion{Type: in.Type}, webhookInput{
		Name: &in.Name, Target: &in.TargetURL, Template: &source, Selection: &in.Selection,
		Headers: &headers, Policy: in.Policy,
	})
	if problems, ok := errors.AsType[delivery.Errors](err); ok {
		return nil, append(problems, status.Errors...)
	}
	if err != nil || status.Errors == nil {
		return d, err
	}
	return nil, status.Errors
}

// revise checks a change of v and returns what v becomes. Only what changes is
// checked: a selected item that no longer exists does not prevent renaming.
func (s *Service) revise(
	ctx context.Context, org delivery.OrgID, v delivery.WebhookVersion, in webhookInput,
) (*draft, error) {
	var c checker
	d := &draft{Version: v}
	if in.Name != nil {
		d.Version.Name = c.webhookName(*in.Name)
	}
	if in.Target != nil {
		d.Version.Target = c.target(s.opts.Egress, *in.Target)
	}
	if in.Policy != nil {
		d.Version.Policy = c.policy(v.Policy, in.Policy)
	}
	if in.Template != nil {
		d.Version.Template = *in.Template
	}
	c.template(d, in.Template != nil)
	d.Headers = storedHeaders(v.Headers)
	if in.Headers != nil {
		d.Headers = c.headers(v.Headers, *in.Headers)
	}
	if in.Target != nil && !delivery.SameServer(v.Target, d.Version.Target) {
		c.enteredAgain(d.Headers)
	}
	if in.Selection != nil {
		selection, err := s.selection(ctx, &c, org, v.Type, in.Selection)
		if err != nil {
			return nil, err
		}
		d.Version.Selection = selection
	}
	if len(c.Errors) > 0 {
		return nil, c.Errors
	}
	d.Version.Fingerprint = delivery.ConfigurationFingerprint(org, &d.Version)
	return d, nil
}

func (c *checker) webhookName(name string) string {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		c.Fail(delivery.Required, "name", "Give the webhook a name.")
	case utf8.RuneCountInString(name) > MaxWebhookName:
		c.Fail(delivery.Invalid, "name", "The name has at most %d characters.", MaxWebhookName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		c.Fail(delivery.Invalid, "name", "The name must not contain line breaks or other control characters.")
	}
	return name
}

func (c *checker) target(policy egress.Policy, target string) string {
	target = strings.TrimSpace(target)
	if _, err := policy.ValidateURL(target); err != nil {
		bad, ok := errors.AsType[*egress.URLError](err)
		switch {
		case !ok:
			c.Fail(delivery.URLForbidden, "targetUrl", "This URL can't be used.")
		case bad.Reason == egress.URLEmpty:
			c.Fail(delivery.Required, "targetUrl", "%s", bad.Message)
		default:
			c.Fail(delivery.URLForbidden, "targetUrl", "%s", bad.Message)
		}
	}
	return target
}

// template compiles the draft's template. What is wrong with it counts if it
// has been changed.
func (c *checker) template(d *draft, changed bool) {
	compiled, problems := delivery.Compile(d.Version.Type, d.Version.Template, d.Version.Policy.TimeZone)
	d.Template = compiled
	for _, p := range problems {
		switch {
		case p.Severity == template.SeverityWarning:
			d.Warnings = append(d.Warnings, Warning{
				Code: string(p.Code), Message: p.Message, Field: "template", Line: p.Line, Column: p.Column,
			})
		case changed && len(c.Errors) < delivery.MaxErrors:
			c.Errors = append(c.Errors, &delivery.Error{
				Code: delivery.TemplateInvalid, Field: "template", Message: p.Message, Line: p.Line, Column: p.Column,
			})
		}
	}
}

func (c *checker) policy(was delivery.Policy, in *PolicyInput) delivery.Policy {
	p := was
	if in.TimeoutSeconds != nil {
		seconds := *in.TimeoutSeconds
		if !(seconds >= delivery.MinTimeout.Seconds() &&
			seconds <= delivery.MaxTimeout.Seconds()) { // NaN too
			c.Fail(delivery.Invalid, "policy.timeoutSeconds", "The timeout is %.0f to %.0f seconds.",
				delivery.MinTimeout.Seconds(), delivery.MaxTimeout.Seconds())
		} else {
			p.Timeout = time.Duration(seconds * float64(time.Second)).Round(time.Millisecond)
		}
	}
	if in.RetrySet {
		p.Retry = c.schedule(in.RetrySeconds)
	}
	if in.Stop4xx != nil {
		p.Stop4xx = *in.Stop4xx
	}
	if in.TimeZone != nil {
		p.TimeZone = c.timeZone("policy.timeZone", *in.TimeZone)
	}
	c.pace(&p, in)
	return p
}

func (c *checker) pace(p *delivery.Policy, in *PolicyInput) {
	if n := in.Concurrency; n != nil {
		if *n < 0 || *n > delivery.MaxConcurrency {
			c.Fail(
				delivery.Invalid, "policy.concurrency",
				"Between 1 and %d attempts may be in flight at once; null takes the server's default.",
				delivery.MaxConcurrency,
			)
		}
		p.Concurrency = *n
	}
	if n := in.PerMinute; n != nil {
		if *n < 0 || *n > delivery.MaxPerMinute {
			c.Fail(delivery.Invalid, "policy.maxPerMinute",
				"Between 1 and %d attempts may begin in a minute; null takes the limit away.", delivery.MaxPerMinute)
		}
		p.PerMinute = *n
	}
	if in.Ordered != nil {
		p.Ordered = *in.Ordered
	}
	if p.Ordered && p.Concurrency > 1 {
		c.Fail(delivery.Invalid, "policy.concurrency",
			"Ordered deliveries go out one after the other: leave concurrency out, or do without the order.")
	}
}

// schedule returns the pauses, nil for the default ones.
func (c *checker) schedule(seconds []int) delivery.Schedule {
	if seconds == nil {
		return nil
	}
	if len(seconds) > delivery.MaxRetries {
		c.Fail(delivery.LimitExceeded, "policy.retrySeconds", "Retry at most %d times.", delivery.MaxRetries)
		return nil
	}
	pauses := make(delivery.Schedule, len(seconds))
	for i, n := range seconds {
		if n < int(delivery.MinRetryPause/time.Second) || n > int(delivery.MaxRetryPause/time.Second) {
			c.Fail(delivery.Invalid, fmt.Sprintf("policy.retrySeconds.%d", i), "A pause is %.0f second to %.0f hours.",
				delivery.MinRetryPause.Seconds(), delivery.MaxRetryPause.Hours())
			continue
		}
		pauses[i] = time.Duration(n) * time.Second
	}
	return pauses
}

func (c *checker) timeZone(field, name string) string {
	// Local is where the server happens to be.
	if _, err := time.LoadLocation(name); err != nil || name == "Local" {
		c.Fail(delivery.Invalid, field,
			`There is no such time zone. Use a name such as "Europe/Madrid", or leave it empty for UTC.`)
	}
	return name
}
