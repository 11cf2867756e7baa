package queue

import (
	"context"
	"fmt"
	"time"
)

// A server of PostgreSQL shows the sessions of others only to those who may see
// them (the role pg_read_all_stats); to others it shows their own.
const oldestTransaction = `SELECT
	COALESCE(max(extract(epoch FROM clock_timestamp() - xact_start)) * 1000000, 0)::bigint
	FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
		AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND backend_type = 'client backend'`

// oldestTransaction matters because what was deleted after the start of an open
// transaction is not removed, and claims have to step over it.
func (p *postgresQueue) oldestTransaction(ctx context.Context) (time.Duration, error) {
	ages, err := numbers(ctx, p.pool, oldestTransaction)
	if err != nil {
		return 0, fmt.Errorf("find the oldest transaction: %w", err)
	}
	return time.Duration(ages[0]) * time.Microsecond, nil
}
