// Package migrate holds the reviewed SQL that makes and changes the tables, in
// one folder for each database. A file is never changed after its release:
// what comes later is a file of its own. Up applies them, one server at a time.
//
// The configuration tables follow portalhooks/ent/schema; a test of package
// ent shows the statements that a change of the schema still needs here.
package migrate

import "embed"

// Files holds the folders postgres and sqlite, of goose's SQL files.
//
//go:embed postgres/*.sql sqlite/*.sql
var Files embed.FS
