package delivery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"portalhooks/delivery/egress"
	"portalhooks/delivery/failpoint"
	"portalhooks/delivery/signature"
	"portalhooks/delivery/template"
)

const contentType = "application/json; charset=utf-8"

// noTiming belongs to an attempt without a call.
var noTiming = Timing{DNS: -1, Connect: -1, TLS: -1, FirstByte: -1, Body: -1}

// timeoutOf returns the deadline that a policy sets for one attempt.
func timeoutOf(p Policy) time.Duration {
	if p.Timeout <= 0 {
		return DefaultTimeout
	}
	return min(max(p.Timeout, MinTimeout), MaxTimeout)
}

// bodies holds the memory of messages between attempts.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// keptBody bounds the memory that one message leaves behind.
const keptBody = 64 << 10

// attempt renders, signs and posts the message of a job, and returns what
// happened and the pause that the receiver asked for. An error means that there
// was no attempt: what it needs could not be read.
func (s *Service) attempt(ctx context.Context, j *Job, t *target) (*Attempt, time.Duration, error) {
	buffer := bodies.Get().(*[]byte)
	defer func() {
		if cap(*buffer) <= keptBody {
			bodies.Put(buffer)
		}
	}()
	started := time.Now().UTC()
	number := j.Delivery.Attempts + 1
	body, err := s.render(ctx, (*buffer)[:0], &j.Event, j.Delivery.Version, j.Delivery.ID)
	if err != nil {
		return unsent(number, started, err)
	}
	*buffer = body
	a, retryAfter := s.call(ctx, t, j.Delivery.ID, number, body)
	return a, retryAfter, nil
}

// unsent returns the attempt of a message that can't be rendered, or err where
// it may be rendered later.
func unsent(number int, started time.Time, err error) (*Attempt, time.Duration, error) {
	a := &Attempt{Number: number, StartedAt: started, Timing: noTiming, Outcome: BodyTooLarge}
	switch {
	case errors.Is(err, template.ErrTooLarge):
		a.Error = "The message is too large to be sent. Shorten the template, or cut long variables with a filter."
	case CodeOf(err) != "" && CodeOf(err) != Unavailable:
		a.Outcome, a.Error = RuleFailed, "The message could not be made: "+err.Error()
	default:
		return nil, 0, fmt.Errorf("render the message: %w", err)
	}
	return a, 0, nil
}

// call posts one signed message.
func (s *Service) call(
	ctx context.Context, t *target, id DeliveryID, number int, body []byte,
) (*Attempt, time.Duration) {
	result := s.post(ctx, egress.Request{
		URL:     t.URL,
		Header:  s.requestHeader(t, id, number, time.Now(), body),
		Body:    body,
		Timeout: timeoutOf(t.Policy),
	})
	failpoint.Hit(failpoint.CallAnswered)
	retryAfter := time.Duration(0)
	if result.HasRetryAfter {
		retryAfter = result.RetryAfter
	}
	return toAttempt(number, &result), retryAfter
}

// requestHeader returns the headers of one call: the webhook's own ones, which
// never replace those that make a call what it is.
func (s *Service) requestHeader(t *target, id DeliveryID, number int, at time.Time, body []byte) http.Header {
	h := make(http.Header, len(t.Headers)+6)
	maps.Copy(h, t.Headers)
	text := id.String()
	values := [...]string{ // in one piece, cut below so that none can grow into the next
		contentType, s.userAgent(), text, signature.Timestamp(at),
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

func (s *Service) userAgent() string { return "Portalhooks/" + s.opts.Version }

// toAttempt keeps of a call's result what the log remembers.
func toAttempt(number int, r *egress.Result) *Attempt {
	return &Attempt{
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

func toTiming(t egress.Timing) Timing {
	return Timing{
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
func toHeaders(h http.Header) []Header {
	list := make([]Header, 0, len(h))
	for name, values := range h {
		for _, value := range values {
			list = append(list, Header{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(list, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	return list
}
