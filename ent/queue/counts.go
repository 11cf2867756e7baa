package queue

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// The columns of the histogram of durations: as a list, as sums, and as they are
// added to those of the stored row.
var (
	durationColumns = eachDuration("d%d")
	durationSums    = eachDuration("sum(d%d)")
	addCounts       = "entries = t.entries + excluded.entries, attempts = t.attempts + excluded.attempts, " +
		eachDuration("d%[1]d = t.d%[1]d + excluded.d%[1]d")
)

// countKeyColumns are the key of the counts.
const countKeyColumns = "org, hour, webhook, slot, state, outcome"

// countPostgres counts the entries that the statement around it has logged,
// always in the order of the key.
var countPostgres = named(`INSERT INTO tally AS t (` + countKeyColumns + `, type, entries, attempts,
	` + durationColumns + `)
	SELECT org, at / 3600000000, webhook, (id >> 12) & 1023, state, COALESCE(outcome, 0), min(type), count(*),
		count(number), ` + eachDuration("count(*) FILTER (WHERE place = %d)") + `
	FROM (SELECT *, CASE WHEN number IS NOT NULL THEN width_bucket(COALESCE(duration, 0), ARRAY[` +
	placeBounds() + `]) END AS place FROM logged WHERE trigger <> @trigger.TEST) l
	GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
	ON CONFLICT (` + countKeyColumns + `) DO UPDATE SET ` + addCounts)

const discardCounts = `DELETE FROM tally WHERE (` + countKeyColumns + `) IN (
	SELECT ` + countKeyColumns + ` FROM tally WHERE hour < $1 ORDER BY hour LIMIT $2)`

func eachDuration(form string) string {
	all := make([]string, len(delivery.Durations{}))
	for i := range all {
		all[i] = fmt.Sprintf(form, i)
	}
	return strings.Join(all, ", ")
}

// placeBounds lists where the places of durations after the first begin, in
// microseconds.
func placeBounds() string {
	var bounds []string
	for us := 1000; len(bounds) < len(delivery.Durations{})-1; us *= 2 {
		bounds = append(bounds, fmt.Sprint(us))
	}
	return strings.Join(bounds, ", ")
}

// hourOf numbers the hours since 1970.
func hourOf(t time.Time) int64 { return sqldb.Micros(t) / time.Hour.Microseconds() }

// Counts implements [delivery.CountStore].
func (q *Queue) Counts(
	ctx context.Context, org delivery.OrgID, t delivery.CountQuery,
) (all []delivery.Count, err error) {
	query := countsQuery(org, t)
	err = sqldb.Persist(ctx, func() error {
		rows, err := q.read.QueryContext(ctx, query)
		all, err = sqldb.Collect(rows, err, scanCount)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the counts of deliveries: %w", err)
	}
	return all, nil
}

func countsQuery(org delivery.OrgID, t delivery.CountQuery) string {
	w := &where{}
	w.add(fmt.Sprintf("org = %d", org))
	w.add(fmt.Sprintf("hour >= %d AND hour < %d", hourOf(t.From), hourOf(t.To)))
	if len(t.Webhooks) > 0 {
		w.add("webhook" + sqldb.InList(t.Webhooks))
	}
	if len(t.Types) > 0 {
		w.add("type" + typeWords.among(t.Types))
	}
	if len(t.States) > 0 {
		w.add("state" + stateWords.among(t.States))
	}
	if len(t.Outcomes) > 0 {
		w.add("outcome" + outcomeWords.among(t.Outcomes))
	}
	step := max(1, int64(t.Step/time.Hour))
	webhook := "0"
	if t.ByWebhook {
		webhook = "webhook"
	}
	first := hourOf(t.From)
	return fmt.Sprintf("SELECT %d + (hour - %d) / %d * %d AS stretch, %s AS whose, state, outcome, "+
		"sum(entries), sum(attempts), %s FROM tally%s GROUP BY stretch, whose, state, outcome",
		first, first, step, step, webhook, durationSums, w)
}

func scanCount(rows *sql.Rows) (t delivery.Count, err error) {
	var hour, state, outcome int64
	into := []any{&hour, &t.Webhook, &state, &outcome, &t.Entries, &t.Attempts}
	for i := range t.Durations {
		into = append(into, &t.Durations[i])
	}
	err = rows.Scan(into...)
	t.At = sqldb.TimeOf(hour * time.Hour.Microseconds())
	t.State, t.Outcome = stateWords.word(state), outcomeWords.word(outcome)
	return t, err
}

// DiscardCounts implements [delivery.CountStore].
func (q *Queue) DiscardCounts(ctx context.Context, t time.Time) (more bool, err error) {
	err = q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		n, err := sqldb.Affected(tx.ExecContext(ctx, discardCounts, hourOf(t), discardLimit))
		more = n == discardLimit
		return err
	})
	if err != nil {
		return false, fmt.Errorf("discard old counts: %w", err)
	}
	return more, nil
}
