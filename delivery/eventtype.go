package delivery

// An EventType names what can happen in an organization.
type EventType string

// The event types.
const (
	ActiveAlert          EventType = "ACTIVE_ALERT"
	ExecutedMicroservice EventType = "EXECUTED_MICROSERVICE"
	ObjectCreated        EventType = "OBJECT_CREATED"
	ObjectModified       EventType = "OBJECT_MODIFIED"
	ObjectDeleted        EventType = "OBJECT_DELETED"
	OperationExecuted    EventType = "OPERATION_EXECUTED"
	OperationInWorkspace EventType = "OPERATION_EXECUTED_IN_WORKSPACE"
)

// Urgent reports whether deliveries of t overtake others.
func (t EventType) Urgent() bool { return t == ActiveAlert }

// eventTypes lists every event type in the catalogue's order. Its order is
// also the number that the database keeps: append only.
var eventTypes = []EventType{
	ActiveAlert, ExecutedMicroservice, ObjectCreated, ObjectModified, ObjectDeleted,
	OperationExecuted, OperationInWorkspace,
}
