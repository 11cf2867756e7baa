package delivery

// A MatchReason says whether a webhook fires for an event, or why it doesn't.
type MatchReason string

// The reasons.
const (
	Matched         MatchReason = "MATCHED"
	OtherEventType  MatchReason = "OTHER_EVENT_TYPE"  // it listens to another event type
	ItemNotSelected MatchReason = "ITEM_NOT_SELECTED" // it listens to other items
	WasDisabled     MatchReason = "DISABLED"          // it was disabled, and did not hold
	CreatedLater    MatchReason = "CREATED_LATER"     // it did not exist yet
	WasDeleted      MatchReason = "DELETED"           // it did not exist any more
)

// Match says whether a webhook fires for an event that comes while v is its
// current version. Ingest and explain share it, so that what is explained is
// what happened.
func Match(v *WebhookVersion, e *Event) MatchReason {
	switch {
	case v.Type != e.Type:
		return OtherEventType
	case !v.Listening:
		return WasDisabled
	case !v.Selection.Has(e.Item):
		return ItemNotSelected
	}
	return Matched
}

// Explain says why a webhook fired for an event of the past or did not, by the
// version that was current when the event came, or else the nearest.
func Explain(v *WebhookVersion, e *Event) MatchReason {
	switch {
	case v.CreatedAt.After(e.ReceivedAt):
		return CreatedLater
	case v.Deleted && !v.EndedAt.After(e.ReceivedAt):
		return WasDeleted
	}
	return Match(v, e)
}
