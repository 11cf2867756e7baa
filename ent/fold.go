package ent

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// fold returns what names are searched and sorted by: lower case, without
// accents. It is done here because the databases differ: SQLite folds ASCII
// only, and PostgreSQL sorts by a locale that may change under an index.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(s))
}

// maxSortKey bounds what an index takes from a name; longer names that begin
// alike are sorted by their ids.
const maxSortKey = 256

// sortKey returns the bytes that a name is sorted by.
func sortKey(name string) []byte {
	key := []byte(fold(strings.TrimSpace(name)))
	return key[:min(len(key), maxSortKey)]
}

// searchText returns what a search looks through.
func searchText(parts ...string) string { return fold(strings.Join(parts, "\n")) }
