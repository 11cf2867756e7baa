package ent

import (
	"context"
	"database/sql"
	"slices"

	"portalhooks/delivery"
)

// How far a claim looks: the oldest due rows name the webhooks that have any,
// those of alerts and of all others apart. When there are more rows than that,
// one webhook may fill all of them, so the claim also goes round the webhooks
// that have rows at all.
const lookAhead = 4

// Type 1 is an alert. The numbers are written out because the indexes are made
// for them.
const (
	oldestDue = `SELECT * FROM (SELECT webhook, TRUE AS urgent, ordered FROM queue
			WHERE NOT held AND type = 1 AND due_at <= @now ORDER BY due_at LIMIT $1) a
		UNION ALL SELECT * FROM (SELECT webhook, FALSE AS urgent, ordered FROM queue
			WHERE NOT held AND type <> 1 AND due_at <= @now ORDER BY due_at LIMIT $2) o`

	// Steps from webhook to webhook through the index, not over their rows. All
	// events of a webhook have one type, so any of its rows tells it.
	roundTrip = `WITH RECURSIVE step(webhook, n) AS (
		SELECT (SELECT min(webhook) FROM queue WHERE webhook > $1), 1
		UNION ALL
		SELECT (SELECT min(q.webhook) FROM queue q WHERE q.webhook > step.webhook), n + 1
		FROM step WHERE webhook IS NOT NULL AND n < $2
	) SELECT webhook, COALESCE((SELECT q.type FROM queue q WHERE q.webhook = step.webhook
			ORDER BY q.held, q.due_at LIMIT 1), 0) = 1,
		EXISTS (SELECT 1 FROM queue q WHERE q.webhook = step.webhook AND q.ordered)
	FROM step WHERE webhook IS NOT NULL`
)

// A candidate is a webhook that may have due deliveries.
type candidate struct {
	webhook         int64
	urgent, ordered bool
}

func scanCandidate(rows *sql.Rows) (c candidate, err error) {
	err = rows.Scan(&c.webhook, &c.urgent, &c.ordered)
	return c, err
}

// candidates returns the webhooks to claim from, in turn.
func (h *hot) candidates(ctx context.Context, c delivery.ClaimRequest) ([]candidate, error) {
	look := lookAhead * c.N
	others := look
	if c.Urgent {
		others = 0
	}
	oldest, err := h.readCandidates(ctx, oldestDue, look, others)
	if err != nil {
		return nil, err
	}
	alerts := 0
	for _, one := range oldest {
		if one.urgent {
			alerts++
		}
	}
	backlog := alerts == look || others > 0 && len(oldest)-alerts == others
	found := wanted(oldest, c)
	if !backlog {
		return found, nil
	}
	after := h.turn.Load()
	round, err := h.readCandidates(ctx, roundTrip, after, c.N)
	if err != nil {
		return nil, err
	}
	if len(round) < c.N { // the end is reached: go on at the start
		h.turn.Store(0)
	} else {
		h.turn.Store(round[len(round)-1].webhook)
	}
	return wanted(append(round, oldest...), c), nil
}

func (h *hot) readCandidates(ctx context.Context, query string, args ...any) (all []candidate, err error) {
	err = persist(ctx, func() error {
		rows, err := h.read.QueryContext(ctx, h.dialect.sql(query), args...)
		all, err = rowsOf(rows, err, scanCandidate)
		return err
	})
	return all, err
}

// wanted keeps the first candidate of each webhook from which anything may be
// taken.
func wanted(all []candidate, c delivery.ClaimRequest) []candidate {
	seen := make(map[int64]bool)
	return slices.DeleteFunc(all, func(one candidate) bool {
		again := seen[one.webhook]
		seen[one.webhook] = true
		limit, limited := c.Limits[delivery.WebhookID(one.webhook)]
		return again || limited && limit <= 0 || c.Urgent && !one.urgent
	})
}

// A share is how many rows of one webhook a claim takes at most.
type share struct {
	webhook int64
	rows    int64
}

// shares divides a claim between its candidates: those in order apart, the
// alerts first. What alerts may take leaves an eighth to others, and what comes
// in order leaves half.
func shares(all []candidate, c delivery.ClaimRequest) (inOrder, plain []share) {
	var urgent, others, ordered []candidate
	for _, one := range all {
		switch {
		case one.ordered:
			ordered = append(ordered, one)
		case one.urgent:
			urgent = append(urgent, one)
		default:
			others = append(others, one)
		}
	}
	slices.SortStableFunc(ordered, func(a, b candidate) int {
		switch {
		case a.urgent == b.urgent:
			return 0
		case a.urgent:
			return -1
		}
		return 1
	})
	room := c.N
	if len(urgent)+len(others) > 0 {
		room = max(1, c.N/2)
	}
	inOrder = divide(ordered, room, c)
	room = c.N
	if len(others) > 0 {
		room = max(1, c.N-max(1, c.N/8))
	}
	return inOrder, append(divide(urgent, room, c), divide(others, c.N, c)...)
}

// divide gives each of the first candidates the same share of n rows, one at
// the least.
func divide(some []candidate, n int, c delivery.ClaimRequest) []share {
	if len(some) > n {
		some = some[:n]
	}
	list := make([]share, 0, len(some))
	for _, one := range some {
		rows := min(c.PerWebhook, max(1, n/len(some)))
		if limit, limited := c.Limits[delivery.WebhookID(one.webhook)]; limited {
			rows = min(rows, limit)
		}
		list = append(list, share{one.webhook, int64(rows)})
	}
	return list
}
