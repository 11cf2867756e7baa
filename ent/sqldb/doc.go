// Package sqldb opens SQLite and PostgreSQL databases, and has what every
// statement on them needs. It is below packages ent and queue, and knows none
// of their tables.
//
//	url.go, database.go     what a database URL names, and opening it
//	sqlite.go, postgres.go  the two databases: one type each
//	errors.go, persist.go   what errors mean, and which transactions run again
//	query.go, values.go     reading rows, and how times and text are stored
//	cursor.go               the bytes of a page's cursor
//
// On SQLite one connection writes: writer.go commits what waits together,
// session.go runs its statements, and wal.go keeps its write-ahead log short.
//
// On PostgreSQL deadline.go gives up connections that lead nowhere, pooler.go
// finds out whether a transaction pooler is in between, prepared.go keeps
// statements prepared, and array.go sends many rows as one argument. Servers
// on the same database notify each other (notify.go) and hold locks while they
// live, on one connection that each keeps for itself (listen.go).
package sqldb
