package pipeline

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

	"portalhooks/delivery"
	"portalhooks/delivery/cache"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/failpoint"
	"portalhooks/delivery/signature"
	"portalhooks/delivery/template"
)

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
