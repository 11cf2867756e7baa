package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// The days that Prepare makes partitions for: ids of servers whose clocks are a
// little wrong have theirs too. Inserts of other days make their own.
const (
	daysBehind = 1
	daysAhead  = 3
)

// dayForm ends the names of partitions: event_20260131.
const dayForm = "20060102"

// partitioned are the tables that have a partition for each day of their ids.
var partitioned = [...]string{"event", "log"}

func (p *postgresQueue) prepare(ctx context.Context, now time.Time) error {
	first := dayOf(now).AddDate(0, 0, -daysBehind)
	days := make([]time.Time, 0, daysBehind+daysAhead+1)
	for i := range cap(days) {
		days = append(days, first.AddDate(0, 0, i))
	}
	if err := sqldb.Persist(ctx, func() error { return p.makePartitions(ctx, days) }); err != nil {
		return fmt.Errorf("make partitions: %w", err)
	}
	return nil
}

// dayOf returns the start of t's day in UTC.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// persistInserts is Persist for inserts into partitioned tables: it makes the
// partitions that rows lack, so that no insert fails for that.
func (p *postgresQueue) persistInserts(ctx context.Context, ids []int64, insert func() error) error {
	made := false
	return sqldb.Persist(ctx, func() error {
		err := insert()
		if made || !lacksPartition(err) {
			return err
		}
		made = true
		days := make([]time.Time, len(ids))
		for i, id := range ids {
			days[i] = dayOf(delivery.IDTime(id))
		}
		if err := p.makePartitions(ctx, days); err != nil {
			return fmt.Errorf("make partitions: %w", err)
		}
		return insert()
	})
}

func lacksPartition(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && e.Code == "23514" && e.Routine == "ExecFindPartition"
}

// makePartitions makes those that are missing. It never blocks inserts: a table
// is attached without a lock that inserts conflict with.
func (p *postgresQueue) makePartitions(ctx context.Context, days []time.Time) error {
	slices.SortFunc(days, time.Time.Compare)
	days = slices.Compact(days)
	for _, table := range partitioned {
		have, err := p.partitions(ctx, table)
		if err != nil {
			return err
		}
		for _, day := range days {
			if slices.ContainsFunc(have, day.Equal) {
				continue
			}
			if err := p.makePartition(ctx, table, day); err != nil {
				return fmt.Errorf("%s: %w", partitionName(table, day), err)
			}
		}
	}
	return nil
}

func partitionName(table string, day time.Time) string { return table + "_" + day.Format(dayForm) }

// partitions returns the days that have one, oldest first.
func (p *postgresQueue) partitions(ctx context.Context, table string) ([]time.Time, error) {
	rows, err := p.pool.QueryContext(ctx, `SELECT c.relname
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = $1::regclass ORDER BY c.relname`, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var days []time.Time
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		// Another table that was attached has no day in its name.
		if day, err := time.Parse(dayForm, strings.TrimPrefix(name, table+"_")); err == nil {
			days = append(days, day)
		}
	}
	return days, rows.Err()
}

// makePartition succeeds also when another server makes the same partition.
func (p *postgresQueue) makePartition(ctx context.Context, table string, day time.Time) error {
	err := p.attachPartition(ctx, table, day)
	if err == nil {
		return nil
	}
	have, again := p.partitions(ctx, table)
	if again == nil && slices.ContainsFunc(have, day.Equal) {
		return nil
	}
	return err
}

// attachPartition makes and attaches a partition in one transaction. A table of its
// name that is none was left by an older version that died in between. It is empty,
// and may lack what a migration has added since.
func (p *postgresQueue) attachPartition(ctx context.Context, table string, day time.Time) error {
	name := partitionName(table, day)
	from, to := delivery.IDAt[int64](day), delivery.IDAt[int64](day.AddDate(0, 0, 1))
	tx, err := p.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, statement := range []string{
		fmt.Sprintf(dropLeftover, name),
		fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL)", name, table),
		fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)", table, name, from, to),
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			_ = tx.Rollback() // the first error is the one to tell
			return err
		}
	}
	return tx.Commit()
}

// dropLeftover drops a table that is no partition. With its lock no other server can
// attach it meanwhile.
const dropLeftover = `DO $$ BEGIN
	IF to_regclass('%[1]s') IS NOT NULL THEN
		LOCK TABLE %[1]s IN ACCESS EXCLUSIVE MODE;
		IF NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = '%[1]s'::regclass) THEN
			DROP TABLE %[1]s;
		END IF;
	END IF;
END $$`
