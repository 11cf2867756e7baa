// Package ent keeps everything that must not be lost, in SQLite or in
// PostgreSQL. Its Store implements delivery.Store.
//
// What admins configure goes through ent: package schema declares the tables,
// package gen is generated from it, and rows.go is where rows become values of
// package delivery and back. One file holds one noun: organizations, items
// (register.go writes them), webhooks (config.go reads them), versions, health,
// keys. Lists are read by position (paging.go), never by number.
//
// What happens to events goes through statements written by hand, because it
// happens thousands of times a second: ingest, claim, settle, release and the
// log. They come in pairs, one file for each database. On PostgreSQL they are
// prepared (prepared.go) and take arrays (array.go); claims look for work at
// the low mark (lowmark.go).
//
// Processes that share a PostgreSQL hear of each other (notify.go), and notice
// each other's death (membership.go), through one connection that
// each keeps for itself (link.go); pooler.go finds out whether there can be one.
// All other connections are dialled by wire.go, which gives up those that lead
// nowhere. On SQLite the lock of a file tells who lives (presence.go).
//
// The tables are made by package migrate. Nothing here starts a transaction
// that outlives a method, and the ids and times are the caller's: only leases
// go by the database's clock, which all processes share.
package ent
