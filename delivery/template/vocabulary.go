package template

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// A Vocabulary is the set of variable names that a template may use. The zero value
// is empty. A Vocabulary is immutable and safe for concurrent use.
type Vocabulary struct {
	known     map[string]bool // whether the event type has the variable
	available []string        // sorted, so that suggestions are stable
	longest   int
}

// NewVocabulary returns the vocabulary of an event type: known are the variables of
// all event types, available those of this one. Names have no "#" and consist of
// ASCII letters, digits and underscores; others never match.
func NewVocabulary(known, available []string) Vocabulary {
	v := Vocabulary{known: make(map[string]bool, len(known)), available: slices.Clone(available)}
	slices.Sort(v.available)
	for _, name := range known {
		v.known[name] = false
	}
	for _, name := range available {
		v.known[name] = true
	}
	for name := range v.known {
		v.longest = max(v.longest, len(name))
	}
	return v
}

// match returns the longest known name that text starts with, or "".
func (v Vocabulary) match(text string) string {
	for n := min(len(text), v.longest); n > 0; n-- {
		if _, ok := v.known[text[:n]]; ok {
			return text[:n]
		}
	}
	return ""
}

// suggest returns the available name that is most similar to name, or "".
func (v Vocabulary) suggest(name string) string {
	return nearest(name, v.available)
}

// nearest returns the candidate with the smallest edit distance to name, or "" if
// none is close. It ignores case and separators: workspaceId equals workspace_id.
func nearest(name string, candidates []string) string {
	const longest = 64
	if len(name) > longest {
		return ""
	}
	plain := squeezed(name)
	best, found := max(1, min(3, len(plain)/3))+1, ""
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(plain, squeezed(c)); d < best {
			best, found = d, c
		}
	}
	return found
}

func squeezed(name string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
}

// isNameByte reports whether b may be part of a variable's name.
func isNameByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_'
}

// nameRun returns the name characters that text starts with.
func nameRun(text string) string {
	n := 0
	for n < len(text) && isNameByte(text[n]) {
		n++
	}
	return text[:n]
}
