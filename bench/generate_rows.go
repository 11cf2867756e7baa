package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"portalhooks/delivery"
)

// The statements below derive every column from n, the number of a delivery, so that
// the database generates the rows by itself. The last two of every five deliveries
// belong to the same event. The distribution over webhooks is skewed: the first w of W
// webhooks have a share of sqrt(w/W) of the deliveries. The small numbers are codes of
// ent/codes.go.
//
// Ids consist of a millisecond, the slot 0, and a number within the millisecond, whose
// lowest two bits are the kind of the id.
const (
	// dueFor is the maximum age of the due deliveries.
	dueFor = 6 * time.Hour

	generatedSource = `(
		SELECT d.*, w.webhook, w.org, w.version, w.item, w.type FROM (
			SELECT n, e, r, ms, (ms * 4194304 + e %% 1000 * 4) AS base, (ms * 4194304 + n %% 1000 * 4) AS own,
				pick / %[3]d * %[3]d + (pick + n - e) %% %[3]d AS place
			FROM (
				SELECT n, e, r, %[4]d + e * %[5]d / %[6]d AS ms, %[2]d * (r / 65536) * (r / 65536) / 4294967296 AS pick
				FROM (SELECT n, e, e * 2654435761 %% 4294967296 AS r FROM (
					SELECT n, CASE WHEN n %% 5 = 4 THEN n - 1 ELSE n END AS e FROM %[1]s
				) a) b
			) c
		) d JOIN generated w ON w.place = d.place
	) g`

	generatedVariables = `'{"event_type":"Generated","alert_name":"Disk space is low",` +
		`"alert_severity":"WARNING","alert_element":"C:","alert_category":"Storage",` +
		`"alert_information":"Less than a tenth of the disk is free. It will be full in about 3 days if it goes ` +
		`on like this.","workspace_id":"66b1d0f47c5e2a91d3000001","workspace_name":"WS-BCN-0001",` +
		`"last_user":"ACME\\somebody","reporting_group_name":"Barcelona Office"}'`

	insertGeneratedEvents = `INSERT INTO event (id, org, item, occurred_at, group_key, source_key, type, test,
		item_name, group_id, source_id, workspace_id, workspace, variables%[4]s)
		SELECT base + %[1]d, org, item, ms * 1000 + %[2]d, r * 2147483647 + e, 0, type, FALSE,
			'Disk space is low', 'generated-' || e, %[6]s, '66b1d0f47c5e2a91d3' || (r %% 900000 + 100000),
			'WS-BCN-' || (r %% 900000 + 100000), ` + generatedVariables + `%[5]s
		FROM %[3]s WHERE n = e ORDER BY n`

	// The deduplication key of an event is in a separate table on PostgreSQL, and in
	// the event on SQLite.
	generatedKey        = `%s, r, CASE WHEN n %% 5 = 3 THEN 2 ELSE 1 END`
	insertGeneratedKeys = `INSERT INTO event_key (org, event, key, fingerprint, deliveries)
		SELECT org, base + %[1]d, %[2]s
		FROM %[3]s WHERE n = e ORDER BY n`

	insertGeneratedLog = `INSERT INTO log (id, delivery, org, webhook, version, event, item, at, started_at,
		response_bytes, duration, first_byte, body, type, trigger, state, attempts, number, outcome, status, reused,
		remote, headers, response)
		SELECT (ms + later) * 4194304 + n %% 1000 * 4 + 2 + step, own + 1, org, webhook, version, base, item,
			(ms + later) * 1000 + %[1]d, (ms + later) * 1000 + %[1]d - 1000 * took, 2, 1000 * took,
			900 * took, 10 * took, type, 1, CASE WHEN step = 0 AND n %% 50 = 0 THEN 3 ELSE final END,
			1 + step, 1 + step,
			CASE WHEN step = 0 AND n %% 50 = 0 OR final = 6 THEN 2 WHEN final = 7 THEN 12 ELSE 1 END,
			CASE WHEN step = 0 AND n %% 50 = 0 OR final = 6 THEN 503 ELSE 200 END, TRUE, '192.0.2.1:443',
			'[{"n":"Content-Type","v":"text/plain"},{"n":"Date","v":"Mon, 05 Jan 2026 10:00:00 GMT"}]', 'ok'
		FROM (SELECT g.*, s.step, r %% 200 + 5 AS took, r %% 200 + 5 + 30000 * s.step AS later,
			CASE WHEN r / 7 %% 1000 < 965 THEN 5 WHEN r / 7 %% 1000 < 995 THEN 6 ELSE 7 END AS final FROM %[2]s
			JOIN (SELECT 0 AS step UNION ALL SELECT 1) s ON s.step = 0 OR n %% 50 = 0) f ORDER BY n, step`

	insertGeneratedQueue = `INSERT INTO queue (id, org, webhook, version, event, item, due_at, type, trigger,
		attempts, held)
		SELECT own + 3, org, webhook, version, base + 2, item, ms * 1000 + %[1]d, type, 1,
			CASE WHEN n %% 10 = 0 THEN 1 ELSE 0 END, n %% 100 = 0 FROM %[2]s ORDER BY n`

	countGenerated = `INSERT INTO tally (org, hour, webhook, slot, state, outcome, type, entries, attempts,
		%[1]s)
		SELECT org, at / 3600000000, webhook, 0, state, outcome, min(type), count(*), count(*), %[2]s FROM log
		GROUP BY 1, 2, 3, 5, 6`
)

// insert inserts the rows of the deliveries numbered from to to-1, which are either
// due or in a final state.
func (g *generator) insert(ctx context.Context, due bool, from, to int) error {
	if from >= to {
		return nil
	}
	event, rows := 0, insertGeneratedLog
	if due {
		event, rows = 2, insertGeneratedQueue
	}
	source, id := g.source(due, from, to), g.sourceID(event)
	values := fmt.Sprintf(generatedKey, g.keyOf(id))
	statements := []string{fmt.Sprintf(rows, g.epoch(), source)}
	if g.sqlite {
		statements = append(statements, fmt.Sprintf(insertGeneratedEvents, event, g.epoch(), source,
			", key, fingerprint, deliveries", ", "+values, id))
	} else {
		statements = append(statements,
			fmt.Sprintf(insertGeneratedEvents, event, g.epoch(), source, "", "", id),
			fmt.Sprintf(insertGeneratedKeys, event, values, source))
	}
	for _, statement := range statements {
		if _, err := g.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (g *generator) source(due bool, from, to int) string {
	series := fmt.Sprintf("generate_series(%d::bigint, %d) AS s(n)", from, to-1)
	if g.sqlite {
		series = fmt.Sprintf("(WITH RECURSIVE s(n) AS (SELECT %d UNION ALL SELECT n + 1 FROM s WHERE n < %d) "+
			"SELECT n FROM s) s", from, to-1)
	}
	start, all := millis(g.start()), g.Deliveries
	if due {
		start, all = millis(g.now.Add(-dueFor)), g.Due
	}
	return fmt.Sprintf(generatedSource, series, g.Organizations*g.Webhooks, g.Webhooks,
		start, millis(g.now)-start, all)
}

// epoch returns the time zero of ids in microseconds.
func (g *generator) epoch() int64 { return delivery.IDTime(int64(0)).UnixMicro() }

// sourceID returns a SQL expression for Portal's unique id of an event.
func (g *generator) sourceID(event int) string {
	if g.sqlite {
		return fmt.Sprintf("printf('%%08x%d%%015x', (ms + %d) / 1000, e)", event, g.epoch()/1000)
	}
	return fmt.Sprintf("(lpad(to_hex((ms + %d) / 1000), 8, '0') || '%d' || lpad(to_hex(e), 15, '0'))",
		g.epoch()/1000, event)
}

// keyOf returns a SQL expression for the deduplication key of such an id.
func (g *generator) keyOf(sourceID string) string {
	if g.sqlite {
		return "unhex(printf('%016x', org) || '73780c' || " + sourceID + ")"
	}
	return "decode('73780c' || " + sourceID + ", 'hex')"
}

// count fills the hourly counts.
func (g *generator) count(ctx context.Context) error {
	var columns, sums []string
	lower := 0
	for i := range len(delivery.Durations{}) {
		columns = append(columns, fmt.Sprintf("d%d", i))
		upper := 1000 << i
		condition := fmt.Sprintf("duration >= %d AND duration < %d", lower, upper)
		if i == len(delivery.Durations{})-1 {
			condition = fmt.Sprintf("duration >= %d", lower)
		}
		sums, lower = append(sums, "sum(CASE WHEN "+condition+" THEN 1 ELSE 0 END)"), upper
	}
	_, err := g.db.ExecContext(ctx, fmt.Sprintf(countGenerated,
		strings.Join(columns, ", "), strings.Join(sums, ", ")))
	return err
}
