package delivery

import "time"

// A State is where a delivery stands.
type State string

// The states. DELIVERED, FAILED and CANCELED are final.
const (
	Queued    State = "QUEUED"    // waits for its first attempt
	Sending   State = "SENDING"   // leased to a server
	Retrying  State = "RETRYING"  // waits for another attempt
	Held      State = "HELD"      // kept back until its webhook is enabled again
	Delivered State = "DELIVERED" // the receiver accepted it
	Failed    State = "FAILED"    // given up
	Canceled  State = "CANCELED"  // the webhook was deleted or disabled, or a person canceled it
)

// Final reports whether a delivery in this state will never change again.
func (s State) Final() bool { return s == Delivered || s == Failed || s == Canceled }

// Waits reports whether a delivery in this state needs another attempt.
func (s State) Waits() bool { return !s.Final() && s != Held }

// A Trigger is why a delivery was made.
type Trigger string

// The triggers.
const (
	ByEvent      Trigger = "EVENT"
	ByRedelivery Trigger = "REDELIVERY"
	ByTest       Trigger = "TEST"
)

// A Delivery is one message owed to one webhook for one event.
type Delivery struct {
	ID            DeliveryID // also the webhook-id that the receiver sees, at every attempt
	Org           OrgID
	Webhook       WebhookID
	Version       VersionID // the message is rendered from this version
	Event         EventID
	Type          EventType
	Item          ItemID
	Trigger       Trigger
	Ordered       bool       // while it is pending: it waits for the older ones of its webhook
	RedeliveryOf  DeliveryID // 0 unless Trigger is ByRedelivery
	State         State
	Attempts      int       // made so far
	NextAttemptAt time.Time // zero when there is none planned
	FinishedAt    time.Time // zero while it is pending
}

// CreatedAt returns when the delivery was made, to the millisecond.
func (d Delivery) CreatedAt() time.Time { return IDTime(d.ID) }

// A DeliveryFilter narrows a list of deliveries, or the delivery log. Zero fields
// don't narrow.
type DeliveryFilter struct {
	Webhooks      []WebhookID
	Types         []EventType
	States        []State
	Outcomes      []Outcome // of the latest attempt
	StatusFrom    int       // HTTP status of the latest attempt, StatusFrom <= status <= StatusTo
	StatusTo      int
	Triggers      []Trigger
	Event         EventID
	Group         GroupID
	Item          ItemID
	WorkspaceID   string
	After, Before time.Time // created in [After, Before)
	Text          string    // part of the item's or workspace's name or of the workspace's id, in any case
}
