package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// What webhook.recalling says: which pending deliveries of a webhook are still
// to be brought in line with its latest changes. Greater values include lesser
// ones.
const (
	NoRecall        = iota
	RecallStates    // those that are held, to be held or to be canceled
	RecallOrder     // also those that are ordered and are not to be
	RecallIntoOrder // also those that are to be ordered: none is claimed until all are
)

// A webhookState is what a webhook, as it is stored, says about its pending
// deliveries.
type webhookState struct {
	delivery.Webhook // its status and its version's number and order

	deletedAt int64
	recalling int
	now       int64 // by the database's clock
}

// change is a number that is another one after each change that matters to
// pending deliveries.
func (w *webhookState) change() int64 {
	if w.Version.Deleted {
		return -1
	}
	return int64(w.Version.Number)
}

// reordering reports whether some of the deliveries may not be ordered as the
// webhook is.
func (w *webhookState) reordering() bool { return w.recalling >= RecallOrder }

// ordering completes a statement that makes deliveries ordered as the webhook is.
func (w *webhookState) ordering(statement string) string {
	ordered := "FALSE"
	if w.Version.Policy.Ordered {
		ordered = "TRUE"
	}
	return strings.ReplaceAll(statement, "@ordered", ordered)
}

// stateOfWebhook reads one webhook. On PostgreSQL it is not changed until the
// transaction ends.
const stateOfWebhook = `SELECT w.status, w.holding, w.deleted_at, w.cancel_before, w.recalling,
		w.version_number, v.policy, @now
	FROM webhook w JOIN webhook_version v ON v.id = w.version_id WHERE w.id = $1 @share_webhook`

// readWebhook returns the state of a webhook; nil when there is none.
func (q *Queue) readWebhook(
	ctx context.Context, tx sqldb.Querier, id delivery.WebhookID,
) (*webhookState, error) {
	rows, err := tx.QueryContext(ctx, q.db.sql(stateOfWebhook), int64(id))
	found, err := sqldb.Collect(rows, err, scanWebhookState)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	found[0].ID = id
	return &found[0], nil
}

func scanWebhookState(rows *sql.Rows) (w webhookState, err error) {
	var policy string
	if err = rows.Scan(&w.Status, &w.Holding, &w.deletedAt, &w.CancelBefore, &w.recalling, &w.Version.Number,
		&policy, &w.now); err != nil {
		return w, err
	}
	w.Version.Deleted = w.deletedAt != 0
	var stored struct {
		Ordered bool `json:"ordered"`
	}
	if err = json.Unmarshal([]byte(policy), &stored); err != nil {
		return w, fmt.Errorf("read a policy: %w", err)
	}
	w.Version.Policy.Ordered = stored.Ordered
	return w, nil
}

// intoOrder passes a webhook h whose deliveries are being put in order.
var intoOrder = fmt.Sprintf("h.recalling = %d", RecallIntoOrder)

// pendingSince is the number of the webhook's version since which a row of the
// queue is pending; NULL when its version is not stored.
const pendingSince = `COALESCE(q.since_version,
	(SELECT v.number FROM webhook_version v WHERE v.id = q.version))`

// What a claim reads of the webhook of a row: whether its deliveries are
// canceled, the row was pending before they were, or it holds them. Only the
// webhook as it is stored can tell; what a server knows may be older.
const (
	rowCanceled = `(q.cancel OR COALESCE((SELECT w.deleted_at <> 0 OR w.status = 'DISABLED' AND NOT w.holding
			OR w.cancel_before > 0 AND COALESCE(` + pendingSince + `, w.cancel_before) < w.cancel_before
		FROM webhook w WHERE w.id = q.webhook), FALSE))`
	rowHeld   = `COALESCE((SELECT w.holding FROM webhook w WHERE w.id = q.webhook), FALSE)`
	rowNumber = `COALESCE((SELECT w.version_number FROM webhook w WHERE w.id = q.webhook), 0)`
)
