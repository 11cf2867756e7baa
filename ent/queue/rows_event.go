package queue

import (
	"encoding/json"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// An eventRow is a row of the table event.
type eventRow struct {
	id, org, item, occurredAt, groupKey, sourceKey, kind       int64
	test                                                       bool
	itemName, group, source, workspaceID, workspace, variables string
}

var eventTable = columns[eventRow]{
	{"id", nil, func(r *eventRow) any { return &r.id }},
	{"org", nil, func(r *eventRow) any { return &r.org }},
	{"item", nil, func(r *eventRow) any { return &r.item }},
	{"occurred_at", nil, func(r *eventRow) any { return &r.occurredAt }},
	{"group_key", nil, func(r *eventRow) any { return &r.groupKey }},
	{"source_key", nil, func(r *eventRow) any { return &r.sourceKey }},
	{"type", nil, func(r *eventRow) any { return &r.kind }},
	{"test", nil, func(r *eventRow) any { return &r.test }},
	{"item_name", nil, func(r *eventRow) any { return &r.itemName }},
	{"group_id", nil, func(r *eventRow) any { return &r.group }},
	{"source_id", nil, func(r *eventRow) any { return &r.source }},
	{"workspace_id", "", func(r *eventRow) any { return &r.workspaceID }},
	{"workspace", "", func(r *eventRow) any { return &r.workspace }},
	{"variables", nil, func(r *eventRow) any { return &r.variables }},
}

// setEvent makes r the row of an event. With bySource set, the event's key finds
// it by its source.
func (r *eventRow) setEvent(e *delivery.Event, bySource bool) {
	*r = eventRow{
		id: int64(e.ID), org: int64(e.Org), item: int64(e.Item), occurredAt: sqldb.Micros(e.OccurredAt),
		groupKey: shortHash(e.Org, string(e.Group)), sourceKey: sourceHash(e, bySource),
		kind: typeWords.code(e.Type), test: e.Test, itemName: sqldb.Clean(e.ItemName),
		group: sqldb.Clean(string(e.Group)), source: sqldb.Clean(e.SourceEventID),
		workspaceID: sqldb.Clean(e.WorkspaceID), workspace: sqldb.Clean(e.WorkspaceName),
		variables: sqldb.Clean(string(e.Variables)),
	}
}

// eventReads are the columns that an event is made of; the others lead to it.
var (
	eventReads   = eventTable.without("group_key", "source_key")
	eventColumns = eventReads.selected("e")
)

// event returns the event of a row of eventColumns.
func (r *eventRow) event() delivery.Event {
	return delivery.Event{
		ID: delivery.EventID(r.id), Org: delivery.OrgID(r.org), Type: typeWords.word(r.kind),
		Item: delivery.ItemID(r.item), ItemName: r.itemName, Group: delivery.GroupID(r.group),
		OccurredAt: sqldb.TimeOf(r.occurredAt), ReceivedAt: delivery.IDTime(r.id), SourceEventID: r.source,
		WorkspaceID: r.workspaceID, WorkspaceName: r.workspace, Variables: json.RawMessage(r.variables),
		Test: r.test,
	}
}

// A keyedRow is an event that is about to be stored, with the key that keeps it
// from being stored twice. SQLite has the key in the event's row, PostgreSQL in
// the table event_key.
type keyedRow struct {
	eventRow

	batch                   int64 // PostgreSQL: the place of its Ingest in the batch, from 1 on
	key                     []byte
	fingerprint, deliveries int64
}

func (r *keyedRow) base() *eventRow { return &r.eventRow }

var keyColumns = columns[keyedRow]{
	{"key", nil, func(r *keyedRow) any { return &r.key }},
	{"fingerprint", nil, func(r *keyedRow) any { return &r.fingerprint }},
	{"deliveries", nil, func(r *keyedRow) any { return &r.deliveries }},
}

// setKeyed makes r the row of an event with its key.
func (r *keyedRow) setKeyed(e *delivery.NewEvent, key []byte) {
	r.setEvent(&e.Event, e.BySource)
	r.key, r.fingerprint, r.deliveries = key, int64(e.Fingerprint), int64(len(e.Deliveries))
}
