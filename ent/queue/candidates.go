package queue

import (
	"context"
	"database/sql"
	"math"
	"slices"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// scanFactor is how far a claim looks: the oldest due rows name the webhooks
// that have any, those of alerts and of all others apart. When there are more
// rows than that, one webhook may fill all of them, so the claim also takes
// webhooks in turn.
const scanFactor = 4

var (
	// dueRows counts the oldest due rows of each webhook. Two rows more count
	// nothing: 0 has the time of the database's clock, -1 the end of the first
	// lease.
	dueRows = named(`SELECT webhook, urgent, ordered, count(*), min(due_at) FROM (
			SELECT * FROM (SELECT webhook, TRUE AS urgent, ordered, due_at FROM queue
				WHERE owner_slot IS NULL AND NOT held AND type = @type.ACTIVE_ALERT AND due_at >= $3 AND due_at <= @now
				ORDER BY due_at LIMIT $1) a
			UNION ALL SELECT * FROM (SELECT webhook, FALSE AS urgent, ordered, due_at FROM queue
				WHERE owner_slot IS NULL AND NOT held AND type <> @type.ACTIVE_ALERT AND due_at >= $4 AND due_at <= @now
				ORDER BY due_at LIMIT $2) o
		) d GROUP BY webhook, urgent, ordered
		UNION ALL SELECT 0, FALSE, FALSE, 0, @now
		UNION ALL SELECT -1, FALSE, FALSE, 0, COALESCE((
			SELECT min(due_at) FROM queue WHERE owner_slot IS NOT NULL AND due_at >= $5), 0)
		ORDER BY 5, 4 DESC`)

	// nextWebhooks steps from webhook to webhook through the index, not over their
	// rows. All events of a webhook have one type, so any of its rows shows it. Its
	// rows that are ordered, and those that are not, are candidates each on their
	// own.
	nextWebhooks = named(webhookSteps + `SELECT webhook, COALESCE((SELECT q.type FROM queue q
			WHERE q.webhook = step.webhook AND q.owner_slot IS NULL ORDER BY q.held, q.ordered, q.due_at LIMIT 1), 0)
			= @type.ACTIVE_ALERT,
		EXISTS (SELECT 1 FROM queue q WHERE q.webhook = step.webhook AND q.ordered AND NOT q.held),
		EXISTS (SELECT 1 FROM queue q WHERE q.webhook = step.webhook AND q.held = FALSE AND q.ordered = FALSE
			AND q.owner_slot IS NULL)
	FROM step WHERE webhook IS NOT NULL`)
)

// webhookSteps finds up to $2 webhooks behind $1 that have rows which wait or are
// held.
const webhookSteps = `WITH RECURSIVE step(webhook, n) AS (
		SELECT (SELECT min(webhook) FROM queue WHERE webhook > $1 AND owner_slot IS NULL), 1
		UNION ALL
		SELECT (SELECT min(q.webhook) FROM queue q WHERE q.webhook > step.webhook AND q.owner_slot IS NULL), n + 1
		FROM step WHERE webhook IS NOT NULL AND n < $2
	) `

// A turn is a webhook whose turn it is, and which rows it has.
type turn struct {
	webhook                int64
	urgent, ordered, plain bool
}

func scanTurn(rows *sql.Rows) (t turn, err error) {
	err = rows.Scan(&t.webhook, &t.urgent, &t.ordered, &t.plain)
	return t, err
}

// candidates returns the turn as candidates.
func (t turn) candidates() (all []candidate) {
	if t.ordered {
		all = append(all, candidate{webhook: t.webhook, urgent: t.urgent, ordered: true})
	}
	if t.plain {
		all = append(all, candidate{webhook: t.webhook, urgent: t.urgent})
	}
	return all
}

// A candidate is a webhook that may have due deliveries, ordered ones or others.
type candidate struct {
	webhook         int64
	urgent, ordered bool
	rows            int   // that were found due, by dueRows
	due             int64 // when the first of them was due
}

func scanCandidate(rows *sql.Rows) (c candidate, err error) {
	err = rows.Scan(&c.webhook, &c.urgent, &c.ordered, &c.rows, &c.due)
	return c, err
}

// candidates returns the webhooks to claim from, in turn.
func (q *Queue) candidates(ctx context.Context, c delivery.ClaimRequest) ([]candidate, error) {
	look := [2]int{scanFactor * c.N, scanFactor * c.N}
	if c.Urgent {
		look[others] = 0
	}
	oldest, backlog, err := q.findDue(ctx, look)
	if err != nil || !backlog {
		return claimable(oldest, c), err
	}
	round, err := q.inTurn(ctx, c.N)
	if err != nil {
		return nil, err
	}
	return claimable(append(round, oldest...), c), nil
}

// findDue returns the webhooks of the oldest due rows, and whether there may be
// more of them. Rows whose lease has ended are requeued first, where they may be,
// which makes them due.
func (q *Queue) findDue(ctx context.Context, look [2]int) (found []candidate, backlog bool, err error) {
	low, mark := q.low.begin(time.Now())
	seen, err := q.scanDue(ctx, look, low)
	if err == nil && seen.leaseEnd <= seen.clock {
		var requeued bool
		if requeued, err = q.requeueExpired(ctx); requeued && err == nil {
			seen, err = q.scanDue(ctx, look, low)
		}
	}
	if err != nil {
		return nil, false, err
	}
	first, rows := [classes]int64{seen.clock, seen.clock, seen.leaseEnd}, [classes]int{}
	for _, one := range seen.found {
		class := others
		if one.urgent {
			class = alerts
		}
		first[class] = min(first[class], one.due)
		rows[class] += one.rows
	}
	limit := seen.clock - watermarkMargin.Microseconds()
	q.low.end(leased, mark, min(first[leased], limit))
	for class, n := range look {
		if n > 0 {
			q.low.end(class, mark, min(first[class], limit))
			backlog = backlog || rows[class] == n
		}
	}
	return seen.found, backlog, nil
}

// A dueScan is what a scan for due rows finds, with two times of the database.
type dueScan struct {
	found    []candidate
	clock    int64
	leaseEnd int64 // the first one; far away when nothing is leased
}

func (q *Queue) scanDue(ctx context.Context, look [2]int, low [classes]int64) (dueScan, error) {
	all, err := readDue(ctx, q, dueRows, scanCandidate,
		look[alerts], look[others], low[alerts], low[others], low[leased])
	s := dueScan{leaseEnd: math.MaxInt64}
	for _, one := range all {
		switch {
		case one.rows > 0:
			s.found = append(s.found, one)
		case one.webhook == 0:
			s.clock = one.due
		case one.due > 0:
			s.leaseEnd = one.due
		}
	}
	return s, err
}

// inTurn returns the webhooks whose turn it is, of those that have rows at all.
// When they are few it returns all of them, from the cache for a moment.
func (q *Queue) inTurn(ctx context.Context, n int) ([]candidate, error) {
	if kept := q.webhooks.get(time.Now(), n); kept != nil {
		return kept, nil
	}
	after := q.turn.Load()
	turns, err := readDue(ctx, q, nextWebhooks, scanTurn, after, n)
	if err != nil {
		return nil, err
	}
	var round []candidate
	for _, one := range turns {
		round = append(round, one.candidates()...)
	}
	if len(turns) < n { // the end is reached: the next claim starts at the first
		q.turn.Store(0)
		if after == 0 {
			q.webhooks.set(time.Now(), round)
		}
	} else {
		q.turn.Store(turns[len(turns)-1].webhook)
	}
	return round, nil
}

// readDue runs a query of a claim.
func readDue[T any](
	ctx context.Context, q *Queue, query string, scan func(*sql.Rows) (T, error), args ...any,
) (all []T, err error) {
	err = sqldb.Persist(ctx, func() error {
		rows, err := q.db.query(ctx, query, args...)
		all, err = sqldb.Collect(rows, err, scan)
		return err
	})
	return all, err
}

// claimable keeps the first candidate of each kind of rows of each webhook from
// which anything may be claimed.
func claimable(all []candidate, c delivery.ClaimRequest) []candidate {
	type kind struct {
		webhook int64
		ordered bool
	}
	seen := make(map[kind]bool)
	return slices.DeleteFunc(all, func(one candidate) bool {
		key := kind{one.webhook, one.ordered}
		again := seen[key]
		seen[key] = true
		limit, limited := c.Limits[delivery.WebhookID(one.webhook)]
		return again || limited && limit <= 0 || c.Urgent && !one.urgent
	})
}
