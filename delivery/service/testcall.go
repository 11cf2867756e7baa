package service

import (
	"context"
	"fmt"
	"slices"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/cache"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/pipeline"
	"portalhooks/delivery/signature"
)

// TestInput says which webhook to test: one that is saved, or a draft.
type TestInput struct {
	Webhook delivery.WebhookID  // a saved one, also a disabled one
	Draft   *CreateWebhookInput // or one that is not saved
	Event   delivery.EventID    // a recorded event to send; 0 for the catalogue's sample values
}

// TestResult is what became of a test.
type TestResult struct {
	Delivery *delivery.Delivery // nil for a draft
	Entry    *delivery.LogEntry // has the attempt; with an id of its own but not stored, for a draft
	Message  string
	Request  RequestPreview
}

// TestWebhook sends one message now and waits for what the receiver says. It is
// never repeated. A receiver that does not answer in time is a result, with the
// outcome TIMEOUT. The test of a saved webhook is in its delivery log; of a
// draft nothing is kept. Only an Organization Admin may test; the errors are
// those of CreateWebhook for a draft, NotFound, Required or Invalid when it is
// not clear what to test, and Unavailable when too many tests are going on, of the
// organization or in all.
func (s *Service) TestWebhook(ctx context.Context, c delivery.Caller, in TestInput) (*TestResult, error) {
	switch {
	case in.Webhook == 0 && in.Draft == nil:
		return nil, delivery.Errorf(
			delivery.Required, "webhookId", "Name a webhook to test, or describe one as a draft.",
		)
	case in.Webhook != 0 && in.Draft != nil:
		return nil, delivery.Errorf(delivery.Invalid, "draft", "Test a saved webhook or a draft, not both at once.")
	}
	prepare := s.savedTest
	if in.Draft != nil {
		prepare = s.draftTest
	}
	t, err := prepare(ctx, c, in)
	if err != nil {
		return nil, err
	}
	free, err := s.tests.take(t.event.Org)
	if err != nil {
		return nil, err
	}
	defer free()
	return s.sendTest(ctx, c, t)
}

// A testCall is a test that is ready to be sent.
type testCall struct {
	target  *cache.Target
	saved   bool
	event   *delivery.Event
	message []byte
	failed  *delivery.Attempt // instead of a call, when the message can't be sent
	id      delivery.DeliveryID
	headers []delivery.Header // as they may be shown
}

func (s *Service) savedTest(ctx context.Context, c delivery.Caller, in TestInput) (*testCall, error) {
	w, err := s.configurable(ctx, c, in.Webhook)
	if err != nil {
		return nil, err
	}
	org, err := s.storedOrganization(ctx, w.Org)
	if err != nil {
		return nil, err
	}
	t := &testCall{saved: true, id: delivery.DeliveryID(s.ids.Next())}
	if t.target, err = s.pipeline.Targets.Of(ctx, w.Org, w.ID, 0); err != nil {
		return nil, fmt.Errorf("look up the webhook: %w", err)
	}
	if t.target.Deleted {
		return nil, delivery.ErrNotFound
	}
	v := &t.target.Webhook.Version
	if t.event, err = s.previewed(ctx, c, org, v.Type, in.Event); err != nil {
		return nil, err
	}
	if t.event.ID == 0 {
		t.event.ID = delivery.EventID(s.ids.Next())
		t.event.ReceivedAt = delivery.IDTime(t.event.ID)
	}
	t.headers = s.shownHeaders(v, t.id, "1", signature.Timestamp(time.Now()))
	message, err := s.pipeline.Renderer.Render(ctx, nil, t.event, v.ID, t.id)
	return t.with(message, err)
}

func (s *Service) draftTest(ctx context.Context, c delivery.Caller, in TestInput) (*testCall, error) {
	org, err := s.Organization(ctx, c, in.Draft.OrganizationID)
	if err != nil {
		return nil, err
	}
	if err := c.CheckConfigure(org.ID); err != nil {
		return nil, err
	}
	d, err := s.compileDraft(ctx, *org, *in.Draft)
	if err != nil {
		return nil, err
	}
	t := &testCall{id: delivery.DeliveryID(s.ids.Next())}
	if t.event, err = s.previewed(ctx, c, *org, d.Version.Type, in.Event); err != nil {
		return nil, err
	}
	// The webhook has no secret yet. A passing one shows the receiver how calls
	// look.
	secret, err := signature.NewSecret()
	if err != nil {
		return nil, err
	}
	t.target = &cache.Target{
		Webhook: delivery.Webhook{Org: org.ID, Name: d.Version.Name, Version: d.Version},
		URL:     d.Version.Target, Headers: d.header(), Policy: d.Version.Policy,
		Secrets: []signature.Secret{secret},
	}
	own := make([]delivery.Header, len(d.Headers))
	for i, h := range d.Headers {
		own[i] = delivery.Header{Name: h.Name, Value: h.Value, Secret: h.Secret}
		if h.Secret {
			own[i].Value = delivery.Mask
		}
	}
	t.headers = s.framed(own, t.id, "1", signature.Timestamp(time.Now()))
	message, err := (&delivery.Compiled{Template: d.Template, Name: d.Version.Name}).Message(nil, t.event, t.id)
	return t.with(message, err)
}

// with completes a test by its message, or by why there is none.
func (t *testCall) with(message []byte, err error) (*testCall, error) {
	if err == nil {
		t.message = slices.Clone(message)
		return t, nil
	}
	t.failed, err = pipeline.Unsent(1, time.Now().UTC(), err)
	return t, err
}

// sendTest makes the attempt and, for a saved webhook, records it.
func (s *Service) sendTest(ctx context.Context, c delivery.Caller, t *testCall) (*TestResult, error) {
	w := &t.target.Webhook
	a := t.failed
	if a == nil {
		target, err := inTime(ctx, t.target)
		if err != nil {
			return nil, err
		}
		a, _ = s.pipeline.Sender.Send(ctx, target, t.id, 1, t.message)
	}
	s.pipeline.Tracer.Attempted(
		ctx, &delivery.Delivery{ID: t.id, Org: t.event.Org, Webhook: w.ID}, a, t.target.URL,
	)
	if a.Outcome == egress.Canceled {
		return nil, context.Cause(ctx)
	}
	shown := preview(s.TargetURL(c, w.Org, &w.Version), t.headers, string(t.message))
	result := &TestResult{Message: string(t.message), Request: *shown}
	if !t.saved {
		result.Entry = &delivery.LogEntry{ID: delivery.LogID(s.ids.Next()), At: a.StartedAt, Attempt: a}
		return result, nil
	}
	stored, err := s.pipeline.Settler.Settle(ctx, s.testSettlement(t, a))
	if err != nil {
		return nil, err
	}
	if !stored.OK {
		return nil, delivery.Errorf(
			delivery.Unavailable, "", "The test was made, but its result could not be stored. Try again.",
		)
	}
	result.Entry, result.Delivery = &stored.Entry, &stored.Entry.Delivery
	return result, nil
}

// storeMargin is left of the caller's time to store the result of a test.
const storeMargin = 2 * time.Second

// inTime returns t with a timeout that ends within the caller's time, so that a
// receiver that is slower is a result of the test and no error.
func inTime(ctx context.Context, t *cache.Target) (*cache.Target, error) {
	deadline, ok := ctx.Deadline()
	left := time.Until(deadline) - storeMargin
	switch {
	case !ok || left >= t.Policy.AttemptTimeout():
		return t, nil
	case left < delivery.MinTimeout:
		return nil, delivery.Errorf(delivery.Unavailable, "",
			"The tests before this one have taken the time of the operation. Send it in an operation of its own.")
	}
	shorter := *t
	shorter.Policy.Timeout = left
	return &shorter, nil
}

// testSettlement records a test, together with its event unless that was
// recorded before.
func (s *Service) testSettlement(t *testCall, a *delivery.Attempt) delivery.Settlement {
	at := time.Now().UTC()
	d := delivery.Delivery{
		ID: t.id, Org: t.event.Org, Webhook: t.target.Webhook.ID, Version: t.target.Webhook.Version.ID,
		Event: t.event.ID, Type: t.event.Type, Item: t.event.Item, Trigger: delivery.ByTest,
		State: delivery.Failed, Attempts: 1, FinishedAt: at,
	}
	if a.Outcome == egress.Success {
		d.State = delivery.Delivered
	}
	settlement := delivery.Settlement{
		Owner: s.opts.Owner, Unqueued: true, Entry: delivery.LogEntry{At: at, Delivery: d, Attempt: a},
	}
	if t.event.Test {
		settlement.Event = t.event
	}
	return settlement
}
