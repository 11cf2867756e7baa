// Package queue runs the hand-written SQL of the queue, the events, the delivery
// log, the counts and the members.
//
// A Queue implements those parts of [delivery.Store]. What differs between the
// databases is behind one interface, backend: queue_sqlite.go and
// queue_postgres.go implement it, and so do the files with these endings. A wide
// statement is made from a table of columns (columns.go, rows_delivery.go,
// rows_log.go), so that a column is written once; states and outcomes stand in
// SQL by their names (codes.go).
package queue
