package model

import (
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
)

// An Event is an event of the GraphQL API.
type Event struct {
	delivery.Event
	With  *EventSiblings
	Index int // among With.All
}

// EventSiblings are events that a resolver returned together.
type EventSiblings struct {
	All          []*delivery.Event // without nils
	Organization Field[*Organization]
	Item         Field[*Item]
	Evaluation   Field[[]*WebhookEvaluation]
}

// NewEvents returns the views of all, in order; nil for nil.
func NewEvents(all []*delivery.Event) []*Event {
	with := &EventSiblings{}
	return views(all, func(_ int, e *delivery.Event) *Event {
		with.All = append(with.All, e)
		return &Event{*e, with, len(with.All) - 1}
	})
}

// IsNode marks a Node.
func (Event) IsNode() {}

// ID is the opaque id.
func (e Event) ID() string { return e.Event.ID.String() }

// Type is the event type with its captions and variables.
func (e Event) Type() EventType { return eventType(e.Event.Type) }

// Group is nil if the event has none.
func (e Event) Group() *string { return text(string(e.Event.Group)) }

// WorkspaceID is nil if the event is not about a device.
func (e Event) WorkspaceID() *string { return text(e.Event.WorkspaceID) }

// WorkspaceName is nil if the event is not about a device.
func (e Event) WorkspaceName() *string { return text(e.Event.WorkspaceName) }

// A WebhookEvaluation says whether a webhook matched an event, and why.
type WebhookEvaluation struct {
	service.Evaluation
	With  *EvaluationSiblings
	Index int // among With.All
}

// EvaluationSiblings are the evaluations of events that a resolver returned
// together.
type EvaluationSiblings struct {
	All     []delivery.WebhookID
	Webhook Field[*Webhook]
}

// NewEvaluations returns the views of the evaluations of each event, in order.
func NewEvaluations(all [][]service.Evaluation) [][]*WebhookEvaluation {
	with := &EvaluationSiblings{}
	out := make([][]*WebhookEvaluation, len(all))
	for i, explained := range all {
		out[i] = make([]*WebhookEvaluation, len(explained))
		for j, e := range explained {
			with.All = append(with.All, e.Webhook)
			out[i][j] = &WebhookEvaluation{e, with, len(with.All) - 1}
		}
	}
	return out
}

// Matched reports whether the webhook fired.
func (e WebhookEvaluation) Matched() bool { return e.Reason == delivery.Matched }

// A Delivery is a delivery of the GraphQL API.
type Delivery struct {
	delivery.Delivery
	With  *DeliverySiblings
	Index int // among With.All
}

// DeliverySiblings are deliveries that a resolver returned together.
type DeliverySiblings struct {
	All      []*delivery.Delivery // without nils
	Webhook  Field[*Webhook]
	Event    Field[*Event]
	Original Field[*Delivery]
	Message  Field[string]
	Request  Field[*service.RequestPreview]
	Attempts Field[[]*Attempt]
	Waiting  Field[delivery.Waiting]
	Canceled Field[delivery.CancelReason]
}

// NewDeliveries returns the views of all, in order; nil for nil.
func NewDeliveries(all []*delivery.Delivery) []*Delivery {
	with := &DeliverySiblings{}
	return views(all, func(_ int, d *delivery.Delivery) *Delivery {
		with.All = append(with.All, d)
		return &Delivery{*d, with, len(with.All) - 1}
	})
}

// NewDelivery returns the view of d; nil for nil.
func NewDelivery(d *delivery.Delivery) *Delivery {
	return NewDeliveries([]*delivery.Delivery{d})[0]
}

// IsNode marks a Node.
func (Delivery) IsNode() {}

// ID is the opaque id.
func (d Delivery) ID() string { return d.Delivery.ID.String() }

// AttemptCount is the number of attempts made.
func (d Delivery) AttemptCount() int { return d.Attempts }

// CreatedAt is when the delivery was created.
func (d Delivery) CreatedAt() time.Time { return d.Delivery.CreatedAt() }

// An Attempt is a log entry of an attempt.
type Attempt struct {
	*delivery.Attempt
	Entry *delivery.LogEntry
	With  *AttemptSiblings
	Index int // among With.All
}

// AttemptSiblings are attempts that a resolver returned together.
type AttemptSiblings struct {
	All     []*delivery.LogEntry
	Headers Field[[]*delivery.Header]
}

// NewAttempts returns the views of the entries' attempts, in order; nil for an
// entry that is nil or has no attempt.
func NewAttempts(all []*delivery.LogEntry) []*Attempt {
	with := &AttemptSiblings{}
	return views(all, func(_ int, e *delivery.LogEntry) *Attempt {
		if e.Attempt == nil {
			return nil
		}
		with.All = append(with.All, e)
		return &Attempt{e.Attempt, e, with, len(with.All) - 1}
	})
}

// IsNode marks a Node.
func (Attempt) IsNode() {}

// ID is the opaque id.
func (a Attempt) ID() string { return a.Entry.ID.String() }

// DurationMs is the duration in milliseconds.
func (a Attempt) DurationMs() float64 { return milliseconds(a.Duration) }

// Timing is the duration of each phase.
func (a Attempt) Timing() Timing { return Timing{a.Attempt.Timing} }

// HTTPStatus is nil if there was no response.
func (a Attempt) HTTPStatus() *int {
	if a.Attempt.HTTPStatus == 0 {
		return nil
	}
	return &a.Attempt.HTTPStatus
}

// Error is nil on success.
func (a Attempt) Error() *string { return text(a.Attempt.Error) }

// RemoteAddress is nil if no address was dialed.
func (a Attempt) RemoteAddress() *string { return text(a.Attempt.RemoteAddress) }

// ResponseBody is nil if there was none.
func (a Attempt) ResponseBody() *string { return text(a.Attempt.ResponseBody) }

// Timing has phases in milliseconds; phases that did not take place are nil.
type Timing struct{ delivery.Timing }

// DNSMs is the time to resolve the host name.
func (t Timing) DNSMs() *float64 { return phase(t.DNS) }

// ConnectMs is the time to connect.
func (t Timing) ConnectMs() *float64 { return phase(t.Connect) }

// TLSMs is the time of the TLS handshake.
func (t Timing) TLSMs() *float64 { return phase(t.TLS) }

// FirstByteMs is the time to the first byte of the response.
func (t Timing) FirstByteMs() *float64 { return phase(t.FirstByte) }

// BodyMs is the time to read the response body.
func (t Timing) BodyMs() *float64 { return phase(t.Body) }

func phase(d time.Duration) *float64 {
	if d < 0 {
		return nil
	}
	ms := milliseconds(d)
	return &ms
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// A DeliveryLogItem is an item of the delivery log.
type DeliveryLogItem interface{ IsDeliveryLogItem() }

// A DeliveryLogEntry is a change of a delivery's state, usually by an attempt.
type DeliveryLogEntry struct {
	Cursor   string
	At       time.Time
	Delivery *Delivery
	Attempt  *Attempt
	State    delivery.State
	Replayed bool
}

// IsDeliveryLogItem marks an item of the delivery log.
func (DeliveryLogEntry) IsDeliveryLogItem() {}

// A DeliveryLogGap marks missing entries.
type DeliveryLogGap struct {
	Cursor      string
	MissedSince time.Time
}

// IsDeliveryLogItem marks an item of the delivery log.
func (DeliveryLogGap) IsDeliveryLogItem() {}

// A DeliveryLogHeartbeat is sent when there are no entries.
type DeliveryLogHeartbeat struct {
	Cursor string
	At     time.Time
}

// IsDeliveryLogItem marks an item of the delivery log.
func (DeliveryLogHeartbeat) IsDeliveryLogItem() {}
