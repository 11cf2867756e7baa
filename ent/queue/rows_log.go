package queue

import (
	"encoding/json"
	"math"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// A logRow is a row of the table log. Values that stand for NULL are those of an
// entry without an attempt.
type logRow struct {
	id, at, state, dueAt int64
	delivery             deliveryRow
	number, startedAt    int64
	outcome, status      int64
	responseBytes        int64
	duration             int64 // in microseconds, as the phases are
	phases               [5]int64
	reused, truncated    bool
	remote, fault        string
	headers, response    string
}

func (r *logRow) base() *deliveryRow { return &r.delivery }

var logTable = append(within(deliveryTable.without("id"), (*logRow).base), columns[logRow]{
	{"id", nil, func(r *logRow) any { return &r.id }},
	{"delivery", nil, func(r *logRow) any { return &r.delivery.id }},
	{"at", nil, func(r *logRow) any { return &r.at }},
	{"state", nil, func(r *logRow) any { return &r.state }},
	{"due_at", none, func(r *logRow) any { return &r.dueAt }},
	{"number", none, func(r *logRow) any { return &r.number }},
	{"started_at", none, func(r *logRow) any { return &r.startedAt }},
	{"outcome", none, func(r *logRow) any { return &r.outcome }},
	{"status", none, func(r *logRow) any { return &r.status }},
	{"response_bytes", none, func(r *logRow) any { return &r.responseBytes }},
	{"duration", absent, func(r *logRow) any { return &r.duration }},
	{"dns", absent, func(r *logRow) any { return &r.phases[0] }},
	{"connect", absent, func(r *logRow) any { return &r.phases[1] }},
	{"tls", absent, func(r *logRow) any { return &r.phases[2] }},
	{"first_byte", absent, func(r *logRow) any { return &r.phases[3] }},
	{"body", absent, func(r *logRow) any { return &r.phases[4] }},
	{"reused", false, func(r *logRow) any { return &r.reused }},
	{"truncated", false, func(r *logRow) any { return &r.truncated }},
	{"remote", "", func(r *logRow) any { return &r.remote }},
	{"error", "", func(r *logRow) any { return &r.fault }},
	{"headers", "", func(r *logRow) any { return &r.headers }},
	{"response", "", func(r *logRow) any { return &r.response }},
}...)

// setEntry makes r the row of an entry, without the time of the next attempt, which
// is the database's.
func (r *logRow) setEntry(s *delivery.Settlement) {
	e := &s.Entry
	*r = logRow{duration: absent, phases: [5]int64{absent, absent, absent, absent, absent}}
	r.id, r.at = int64(e.ID), sqldb.Micros(e.At)
	r.state = stateWords.code(e.Delivery.State)
	r.delivery.set(&e.Delivery)
	if e.Attempt != nil {
		r.setAttempt(e.Attempt)
	}
}

func (r *logRow) setAttempt(a *delivery.Attempt) {
	t := &a.Timing
	r.number, r.startedAt = int64(max(1, a.Number)), sqldb.Micros(a.StartedAt)
	r.outcome, r.status = outcomeWords.code(a.Outcome), int64(a.HTTPStatus)
	r.duration = phase(a.Duration)
	r.phases = [5]int64{phase(t.DNS), phase(t.Connect), phase(t.TLS), phase(t.FirstByte), phase(t.Body)}
	r.reused, r.truncated, r.responseBytes = t.Reused, a.ResponseTruncated, a.ResponseBytes
	r.remote, r.fault = sqldb.Clean(a.RemoteAddress), sqldb.Clean(a.Error)
	r.headers, r.response = headersText(a.ResponseHeaders), sqldb.Clean(a.ResponseBody)
}

// pauseOf returns how long the next attempt of a settled delivery waits, in
// microseconds; absent when there is none.
func pauseOf(s *delivery.Settlement) int64 {
	if s.Entry.Delivery.State != delivery.Retrying {
		return absent
	}
	return max(0, s.Pause.Microseconds())
}

var entryColumns = logTable.selected("l")

// entry returns the entry of a row of entryColumns.
func (r *logRow) entry() delivery.LogEntry {
	e := delivery.LogEntry{ID: delivery.LogID(r.id), At: sqldb.TimeOf(r.at), Delivery: r.delivery.delivery()}
	d := &e.Delivery
	d.State, d.NextAttemptAt = stateWords.word(r.state), sqldb.TimeOf(r.dueAt)
	if d.State.Final() {
		d.FinishedAt = e.At
	}
	if r.number != 0 {
		e.Attempt = r.attempt()
	}
	return e
}

func (r *logRow) attempt() *delivery.Attempt {
	return &delivery.Attempt{
		Number: int(r.number), StartedAt: sqldb.TimeOf(r.startedAt), Duration: phaseOf(r.duration),
		Outcome: outcomeWords.word(r.outcome), HTTPStatus: int(r.status),
		Timing: delivery.Timing{
			DNS: phaseOf(r.phases[0]), Connect: phaseOf(r.phases[1]), TLS: phaseOf(r.phases[2]),
			FirstByte: phaseOf(r.phases[3]), Body: phaseOf(r.phases[4]), Reused: r.reused,
		},
		RemoteAddress: r.remote, Error: r.fault, ResponseHeaders: headersOf(r.headers),
		ResponseBody: r.response, ResponseBytes: r.responseBytes, ResponseTruncated: r.truncated,
	}
}

// phase returns d in microseconds as the log stores it.
func phase(d time.Duration) int64 {
	if d < 0 {
		return absent
	}
	return min(d.Microseconds(), math.MaxInt32)
}

func phaseOf(us int64) time.Duration {
	if us < 0 {
		return -1
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

// headersOf is the inverse of headersText. Text that is not valid gives no
// headers: one broken row must not make the others unreadable.
func headersOf(text string) []delivery.Header {
	var headers []delivery.Header
	if text == "" || json.Unmarshal([]byte(text), &headers) != nil {
		return nil
	}
	return headers
}
