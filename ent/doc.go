// Package ent keeps everything that must not be lost, in SQLite or in
// PostgreSQL. Its Store implements delivery.Store.
//
// What admins configure goes through ent: package schema declares the tables,
// package gen is generated from it, and rows.go converts rows to values of
// package delivery and back. One file holds one noun: organizations, items
// (register.go writes them), webhooks (config.go reads them), versions, health,
// keys, sessions, the audit log. Lists are read by position (paging.go), never
// by number.
//
// What happens to events is in package queue, whose statements are written by
// hand. Both use the connections of package sqldb. Package migrate makes the
// tables.
//
// No transaction outlives a method, and the ids and times are the caller's: only
// leases go by the database's clock, which all servers share.
package ent
