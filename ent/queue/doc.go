// Package queue keeps what happens to events, in SQLite or in PostgreSQL: the
// pending deliveries, the events, the delivery log, the counts and the members.
// Its statements are written by hand, because they run thousands of times a
// second.
//
// A Queue has what both databases share. What they do differently is behind the
// interface backend (queue.go), with one type per database: sqliteQueue
// (sqlite.go) and postgresQueue (postgres.go). Each operation has a file, and
// one more for each database where that differs:
//
//	ingest      store events and the deliveries they cause, once
//	claim       lease due deliveries: candidates.go finds the webhooks that have
//	            any, shares.go divides the claim between them, watermark.go and
//	            webhook_cache.go remember where to look
//	settle      store the result of an attempt and move the delivery on
//	release     requeue and recall deliveries
//	retention   discard what is old; partitions_postgres.go makes the days
//	membership  lease slots to servers and reap those that have expired;
//	            liveness tells which servers are dead, clock.go notices when the
//	            database's clock is set
//
// deliveries.go, events.go, log.go, counts.go and depth.go read. Their pages go
// by id (page.go), their conditions are gathered by where.go.
//
// Each column of a table is written once, in a rows_*.go file: columns.go makes
// statements, arguments and scans of it. Words of closed lists are stored as
// numbers (codes.go), and statements name them.
package queue
