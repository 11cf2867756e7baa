// Package schema holds the GraphQL contract: the SDL, one file for each noun,
// with a description on every type, field and argument. The server answers
// from these files and serves them, merged into one, at /schema.graphql.
package schema

import "embed"

// Files holds the SDL files.
//
//go:embed *.graphql
var Files embed.FS
