package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"portalhooks/delivery/failpoint"
	"portalhooks/delivery/signature"
	"portalhooks/delivery/template"

	"portalhooks/delivery"
	"portalhooks/delivery/cache"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/seal"
)

// errLeaseOver says that a job has waited for so long that its delivery may be
// leased to another server before an attempt would be settled.
var errLeaseOver = errors.New("the lease may end before the attempt does")

// errSilent says that another server may hold the delivery by now.
var errSilent = errors.New("this server could not renew the lease of its slot")

// An Attempter makes the attempts of jobs.
type Attempter struct {
	targets     *cache.Targets
	renderer    *cache.Renderer
	sender      *Sender
	concurrency int            // attempts in flight for a webhook whose policy sets none
	silent      func() bool    // whether other servers may have taken over the jobs of this one
	random      func() float64 // from [0, 1), for the pauses between attempts
	metrics     *Metrics
	log         *slog.Logger
}

// Attempt does what a job is due for: one call, or none where the delivery is
// no longer wanted. An error means that there was no attempt and that the job
// has to be claimed again; the result has the job all the same. A panic fails
// the one delivery that it came up with.
func (a *Attempter) Attempt(ctx context.Context, job *delivery.Job) (r *Result, err error) {
	started := time.Now()
	defer func() {
		cause := recover()
		if cause != nil {
			a.metrics.panics.Inc()
			a.log.ErrorContext(ctx, "panic in a worker", "delivery", job.Delivery.ID, "cause", fmt.Sprint(cause))
			r, err = a.panicked(job, started), nil
		}
		r.At = time.Now().UTC()
	}()
	r = &Result{Job: *job}
	return r, a.attempt(ctx, r)
}

// panicked returns the result of a job that this program has an error with.
func (a *Attempter) panicked(job *delivery.Job, started time.Time) *Result {
	return &Result{Job: *job, Verdict: delivery.Verdict{State: delivery.Failed}, Attempt: &delivery.Attempt{
		Number: job.Delivery.Attempts + 1, StartedAt: started.UTC(), Duration: time.Since(started),
		Timing: noTiming, Outcome: egress.ResponseError,
		Error: "This server could not process the delivery because of an error of its own. " +
			"Tell its operator the delivery's id.",
	}}
}

// attempt fills in what becomes of the job.
func (a *Attempter) attempt(ctx context.Context, r *Result) error {
	if a.silent() {
		return errSilent
	}
	if r.Cancel {
		r.State = delivery.Canceled
		return nil
	}
	target, err := a.targets.Of(ctx, r.Delivery.Org, r.Delivery.Webhook, r.WebhookVersion)
	sealed := errors.Is(err, seal.ErrUnknownKey) || errors.Is(err, seal.ErrNotOpened)
	if err != nil && !sealed {
		return fmt.Errorf("look up the webhook: %w", err)
	}
	limits := limitsOf(&target.Webhook, a.concurrency)
	if state := a.withoutCall(ctx, &r.Job, target); state != "" {
		r.State, r.Limits = state, &limits
		return nil
	}
	if sealed {
		a.unopened(ctx, r, target.Policy, err)
		return nil
	}
	if time.Until(r.LeasedUntil) < target.Policy.AttemptTimeout()+LeaseMargin {
		return errLeaseOver
	}
	retryAfter, err := a.send(ctx, r, target)
	if err != nil {
		return err
	}
	r.Verdict = delivery.Judge(target.Policy, r.Attempt, retryAfter, a.random())
	r.Target, r.Limits = target.Webhook.Version.Target, &limits
	return nil
}

// send renders the message and makes the call. It returns the pause that the
// receiver asked for.
func (a *Attempter) send(
	ctx context.Context, r *Result, t *cache.Target,
) (retryAfter time.Duration, err error) {
	started, number := time.Now().UTC(), r.Delivery.Attempts+1
	message := messages.Get().(*[]byte)
	defer recycle(message)
	d := &r.Delivery
	body, err := a.renderer.Render(ctx, (*message)[:0], &r.Event, d.Version, d.ID)
	if err != nil {
		r.Attempt, err = Unsent(number, started, err)
		return 0, err
	}
	*message = body
	r.Attempt, retryAfter = a.sender.Send(ctx, t, d.ID, number, body)
	return retryAfter, nil
}

// unopened fails the attempt of a delivery whose webhook's secrets this server
// can't open, so that the log says it and it is retried by its schedule.
func (a *Attempter) unopened(ctx context.Context, r *Result, p delivery.Policy, err error) {
	a.metrics.Failed("attempt")
	a.log.ErrorContext(ctx, "open the secrets of a webhook", "delivery", r.Delivery.ID,
		"webhook", r.Delivery.Webhook, "err", err)
	r.Attempt = &delivery.Attempt{
		Number: r.Delivery.Attempts + 1, StartedAt: time.Now().UTC(), Timing: noTiming,
		Outcome: delivery.RuleFailed,
		Error:   "This server could not open the webhook's secrets. Tell its operator the delivery's id.",
	}
	r.Verdict = delivery.Judge(p, r.Attempt, 0, a.random())
}

// withoutCall returns the state of a delivery whose webhook takes no calls, or
// "". What the claim has read counts where the webhook is not known as late: a
// delivery that was to be held then is looked at again by the one who settles it.
func (a *Attempter) withoutCall(ctx context.Context, job *delivery.Job, t *cache.Target) delivery.State {
	number := job.WebhookVersion
	if number == 0 && t.Webhook.CancelBefore > 0 {
		number = a.renderer.Number(ctx, job.Delivery.Version)
	}
	switch d := t.Webhook.Disposition(number); {
	case t.Deleted, d == delivery.ToCancel:
		return delivery.Canceled
	case job.Hold, d == delivery.ToHold:
		return delivery.Held
	}
	return ""
}

// ContentType is the type of messages.
const ContentType = "application/json; charset=utf-8"

// noTiming belongs to an attempt without a call.
var noTiming = delivery.Timing{DNS: -1, Connect: -1, TLS: -1, FirstByte: -1, Body: -1}

// messages holds the memory of messages between attempts.
var messages = sync.Pool{New: func() any { return new([]byte) }}

// keptMessage bounds the memory that one message leaves behind, in bytes.
const keptMessage = 64 << 10

// recycle lets the next attempt use the memory of a message.
func recycle(message *[]byte) {
	if cap(*message) <= keptMessage {
		messages.Put(message)
	}
}

// A Sender makes signed calls.
type Sender struct {
	post      func(context.Context, egress.Request) egress.Result
	UserAgent string
}

// Unsent returns the attempt of a message that can't be rendered, or err where
// it may be rendered later.
func Unsent(number int, started time.Time, err error) (*delivery.Attempt, error) {
	a := &delivery.Attempt{Number: number, StartedAt: started, Timing: noTiming, Outcome: delivery.BodyTooLarge}
	switch {
	case errors.Is(err, template.ErrTooLarge):
		a.Error = "The message is too large to be sent. Shorten the template, or cut long variables with a filter."
	case delivery.CodeOf(err) != "" && delivery.CodeOf(err) != delivery.Unavailable:
		a.Outcome, a.Error = delivery.RuleFailed, "The message could not be made: "+err.Error()
	default:
		return nil, fmt.Errorf("render the message: %w", err)
	}
	return a, nil
}

// Send posts one signed message. It returns what happened, and the pause that
// the receiver asked for.
func (s *Sender) Send(
	ctx context.Context, t *cache.Target, id delivery.DeliveryID, number int, body []byte,
) (a *delivery.Attempt, retryAfter time.Duration) {
	result := s.post(ctx, egress.Request{
		URL:     t.URL,
		Header:  s.requestHeader(t, id, number, time.Now(), body),
		Body:    body,
		Timeout: t.Policy.AttemptTimeout(),
	})
	failpoint.Hit(failpoint.CallAnswered)
	if result.HasRetryAfter {
		retryAfter = result.RetryAfter
	}
	return toAttempt(number, &result), retryAfter
}

// requestHeader returns the headers of one call: the webhook's own ones, which
// never replace those that make a call what it is.
func (s *Sender) requestHeader(
	t *cache.Target, id delivery.DeliveryID, number int, at time.Time, body []byte,
) http.Header {
	h := make(http.Header, len(t.Headers)+6)
	maps.Copy(h, t.Headers)
	text := id.String()
	values := [...]string{ // in one piece, cut below so that none can grow into the next
		ContentType, s.UserAgent, text, signature.Timestamp(at),
		signature.Sign(text, at, body, t.Secrets...), strconv.Itoa(number),
	}
	if h["Content-Type"] == nil {
		h["Content-Type"] = values[0:1:1]
	}
	if h["User-Agent"] == nil {
		h["User-Agent"] = values[1:2:2]
	}
	h[signature.HeaderID] = values[2:3:3]
	h[signature.HeaderTimestamp] = values[3:4:4]
	h[signature.HeaderSignature] = values[4:5:5]
	h[signature.HeaderAttempt] = values[5:6:6]
	return h
}

// toAttempt keeps of a call's result what the log remembers.
func toAttempt(number int, r *egress.Result) *delivery.Attempt {
	return &delivery.Attempt{
		Number:            number,
		StartedAt:         r.Started.UTC(),
		Duration:          r.Duration,
		Timing:            toTiming(r.Timing),
		Outcome:           r.Outcome,
		HTTPStatus:        r.Status,
		Error:             r.Err,
		RemoteAddress:     r.RemoteAddr,
		ResponseHeaders:   toHeaders(r.Header),
		ResponseBody:      string(r.Body),
		ResponseTruncated: r.Truncated,
		ResponseBytes:     r.BodyBytes,
	}
}

func toTiming(t egress.Timing) delivery.Timing {
	return delivery.Timing{
		DNS: phase(t.DNS), Connect: phase(t.Connect), TLS: phase(t.TLS),
		FirstByte: phase(t.FirstByte), Body: phase(t.Body), Reused: t.Reused,
	}
}

// phase marks a phase that took no time as one that did not happen.
func phase(took time.Duration) time.Duration {
	if took <= 0 {
		return -1
	}
	return took
}

// toHeaders lists headers by name.
func toHeaders(h http.Header) []delivery.Header {
	list := make([]delivery.Header, 0, len(h))
	for name, values := range h {
		for _, value := range values {
			list = append(list, delivery.Header{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(list, func(a, b delivery.Header) int { return strings.Compare(a.Name, b.Name) })
	return list
}
