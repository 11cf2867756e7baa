package queue

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"math"
	"time"

	"portalhooks/ent/sqldb"

	"portalhooks/delivery"
)

// hashOf identifies text within an organization where the text itself would
// make an index large.
func hashOf(org delivery.OrgID, text string) [sha256.Size]byte {
	room := make([]byte, 0, 128) // on the stack: most texts are short
	return sha256.Sum256(append(binary.BigEndian.AppendUint64(room, uint64(org)), text...))
}

// shortHash is for indexes whose rows are compared with the text as well.
func shortHash(org delivery.OrgID, text string) int64 {
	h := hashOf(org, text)
	return int64(binary.BigEndian.Uint64(h[:8]))
}

// sourceHash is where an event is found by its source, 0 if its key serves that:
// indexes of hashes are what costs most when events are stored.
func sourceHash(e *delivery.Event, byKey bool) int64 {
	if byKey {
		return 0
	}
	return shortHash(e.Org, e.SourceEventID)
}

// ownKey is a key of deduplication with the organization that it belongs to.
func ownKey(org delivery.OrgID, key string) []byte {
	room := make([]byte, 0, 8+len(key))
	return append(binary.BigEndian.AppendUint64(room, uint64(org)), key...)
}

const eventColumns = `e.id, e.org, e.item, e.occurred_at, e.type, e.test, e.item_name, e.group_id,
	e.source_id, COALESCE(e.workspace_id, ''), COALESCE(e.workspace, ''), e.variables`

func scanEvent(rows *sql.Rows) (e delivery.Event, err error) {
	var occurred, kind int64
	var variables string
	err = rows.Scan(&e.ID, &e.Org, &e.Item, &occurred, &kind, &e.Test, &e.ItemName, &e.Group,
		&e.SourceEventID, &e.WorkspaceID, &e.WorkspaceName, &variables)
	e.OccurredAt, e.ReceivedAt = sqldb.TimeOf(occurred), delivery.IDTime(e.ID)
	e.Type, e.Variables = typeWords.word(kind), json.RawMessage(variables)
	return e, err
}

// How a row of the queue and a final entry of the log look as a delivery: both
// lists have the columns that scanDelivery reads. A lent row is being sent as
// long as its lease lasts.
const (
	pendingState = `CASE WHEN q.held THEN 4 WHEN q.owner_slot IS NOT NULL AND q.due_at > @now THEN 2
		WHEN q.attempts > 0 THEN 3 ELSE 1 END`
	pendingColumns = `q.id AS id, q.org, q.webhook, q.version, q.event, q.item,
		COALESCE(q.redelivery_of, 0) AS redelivery_of, q.type, q.trigger, q.attempts, ` + pendingState + ` AS state,
		CASE WHEN q.held OR q.owner_slot IS NOT NULL AND q.due_at > @now THEN 0 ELSE q.due_at END AS due_at,
		0 AS at, q.ordered AS ordered`
	finalColumns = `l.delivery AS id, l.org, l.webhook, l.version, l.event, l.item,
		COALESCE(l.redelivery_of, 0) AS redelivery_of, l.type, l.trigger, l.attempts, l.state, 0 AS due_at, l.at,
		FALSE AS ordered`
)

// pendingStates says what rows are in a state, as pendingState does.
var pendingStates = map[delivery.State]string{
	delivery.Held:     "q.held",
	delivery.Sending:  "NOT q.held AND q.owner_slot IS NOT NULL AND q.due_at > @now",
	delivery.Retrying: "NOT q.held AND q.attempts > 0 AND (q.owner_slot IS NULL OR q.due_at <= @now)",
	delivery.Queued:   "NOT q.held AND q.attempts = 0 AND (q.owner_slot IS NULL OR q.due_at <= @now)",
}

func scanDelivery(rows *sql.Rows) (d delivery.Delivery, err error) {
	var kind, trigger, state, due, finished int64
	err = rows.Scan(&d.ID, &d.Org, &d.Webhook, &d.Version, &d.Event, &d.Item, &d.RedeliveryOf,
		&kind, &trigger, &d.Attempts, &state, &due, &finished, &d.Ordered)
	d.Type, d.Trigger, d.State = typeWords.word(kind), triggerWords.word(trigger), stateWords.word(state)
	d.NextAttemptAt, d.FinishedAt = sqldb.TimeOf(due), sqldb.TimeOf(finished)
	return d, err
}

// absent marks a phase of an attempt that did not happen.
const absent = -1

// phase returns d in microseconds as the log stores it.
func phase(d time.Duration) int64 {
	if d < 0 {
		return absent
	}
	return min(d.Microseconds(), math.MaxInt32)
}

func phaseOf(us int64) time.Duration {
	if us < 0 {
		return absent
	}
	return time.Duration(us) * time.Microsecond
}

// headersText is JSON, or empty for none.
func headersText(headers []delivery.Header) string {
	if len(headers) == 0 {
		return ""
	}
	text, err := json.Marshal(headers)
	if err != nil {
		return "" // strings and a boolean always marshal
	}
	return sqldb.Clean(string(text))
}

// headersOf is the inverse of headersText. What can't be read is none: one
// broken row must not keep anybody from reading the others.
func headersOf(text string) []delivery.Header {
	var headers []delivery.Header
	if text == "" || json.Unmarshal([]byte(text), &headers) != nil {
		return nil
	}
	return headers
}

const entryColumns = `l.id, l.delivery, l.org, l.webhook, l.version, l.event, l.item, l.at,
	COALESCE(l.started_at, 0), COALESCE(l.due_at, 0), COALESCE(l.redelivery_of, 0),
	COALESCE(l.response_bytes, 0), COALESCE(l.duration, 0),
	COALESCE(l.dns, -1), COALESCE(l.connect, -1), COALESCE(l.tls, -1), COALESCE(l.first_byte, -1),
	COALESCE(l.body, -1),
	l.type, l.trigger, l.state, l.attempts, COALESCE(l.number, 0), COALESCE(l.outcome, 0), COALESCE(l.status, 0),
	COALESCE(l.reused, FALSE), COALESCE(l.truncated, FALSE), COALESCE(l.remote, ''), COALESCE(l.error, ''),
	COALESCE(l.headers, ''), COALESCE(l.response, '')`

func scanEntry(rows *sql.Rows) (e delivery.LogEntry, err error) {
	var at, started, due, duration, kind, trigger, state, outcome int64
	var phases [5]int64
	var headers string
	d, a := &e.Delivery, &delivery.Attempt{}
	if err := rows.Scan(&e.ID, &d.ID, &d.Org, &d.Webhook, &d.Version, &d.Event, &d.Item, &at, &started,
		&due, &d.RedeliveryOf, &a.ResponseBytes, &duration,
		&phases[0], &phases[1], &phases[2], &phases[3], &phases[4],
		&kind, &trigger, &state, &d.Attempts, &a.Number, &outcome, &a.HTTPStatus,
		&a.Timing.Reused, &a.ResponseTruncated, &a.RemoteAddress, &a.Error, &headers, &a.ResponseBody); err != nil {
		return e, err
	}
	e.At = sqldb.TimeOf(at)
	d.Type, d.Trigger, d.State = typeWords.word(kind), triggerWords.word(trigger), stateWords.word(state)
	d.NextAttemptAt = sqldb.TimeOf(due)
	if d.State.Final() {
		d.FinishedAt = e.At
	}
	if a.Number == 0 {
		return e, nil
	}
	a.StartedAt, a.Duration, a.Outcome = sqldb.TimeOf(started), phaseOf(duration), outcomeWords.word(outcome)
	a.Timing.DNS, a.Timing.Connect, a.Timing.TLS = phaseOf(phases[0]), phaseOf(phases[1]), phaseOf(phases[2])
	a.Timing.FirstByte, a.Timing.Body = phaseOf(phases[3]), phaseOf(phases[4])
	a.ResponseHeaders = headersOf(headers)
	e.Attempt = a
	return e, nil
}
