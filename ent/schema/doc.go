// Package schema declares the configuration tables to ent: organizations,
// items, webhooks with their versions and health, and API keys. The tables of
// the queue, the events and the log are not entities: their statements are
// written by hand (see package ent).
//
// All times are whole microseconds since 1970, and zero stands for none: both
// databases then store, compare and index them alike.
//
// A change here needs `go generate ./ent` and a migration for each database in
// ent/migrate; a test of package ent fails until the two agree, and shows the
// statements that are missing.
package schema
