package template

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Canonical returns the canonical form of a template: compact, with sorted keys and
// normalized escapes. Templates with the same canonical form render to the same
// messages except for white space and the order of keys. Numbers are kept as
// written, and so are escapes that mean something else unescaped, such as \u0023.
// If the source is not strict JSON, the error is its first problem. Variables are
// not checked.
func Canonical(source string) (string, error) {
	source = strings.TrimPrefix(source, byteOrderMark)
	var f findings
	root := parse(source, &f)
	if problems := f.problems(source); len(problems) > 0 {
		return "", fmt.Errorf("canonical form of a template: %s", problems[0])
	}
	c := canonicalizer{source}
	return string(c.append(make([]byte, 0, len(source)), root)), nil
}

type canonicalizer struct{ source string }

func (c canonicalizer) append(dst []byte, n node) []byte {
	switch n.kind {
	case kindObject:
		return c.object(dst, n)
	case kindArray:
		dst = append(dst, '[')
		for i, item := range n.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = c.append(dst, item)
		}
		return append(dst, ']')
	case kindText:
		return appendCanonical(dst, c.source[n.start:n.end])
	}
	return append(dst, c.source[n.start:n.end]...)
}

func (c canonicalizer) object(dst []byte, n node) []byte {
	sorted := slices.SortedFunc(slices.Values(n.members), func(a, b member) int {
		return cmp.Compare(a.name, b.name)
	})
	dst = append(dst, '{')
	for i, m := range sorted {
		if i > 0 {
			dst = append(dst, ',')
		}
		// Keys are never expanded, so all their escapes are normalized.
		dst = append(dst, '"')
		dst = appendEscaped(dst, m.name, minimalLow, minimalHigh, math.MaxInt)
		dst = append(dst, `":`...)
		dst = c.append(dst, m.value)
	}
	return append(dst, '}')
}

// appendCanonical appends a string value with its quotes.
func appendCanonical(dst []byte, written string) []byte {
	for written != "" {
		r, size := unescapeRune(written)
		switch {
		case size < 2 || r >= utf8.RuneSelf || r == '/':
			dst = utf8.AppendRune(dst, r)
		case size == 2: // a short escape
			dst = append(dst, written[:2]...)
		case strings.IndexByte("\b\f\n\r\t", byte(r)) >= 0:
			dst = appendEscape(dst, byte(r))
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		}
		written = written[size:]
	}
	return dst
}
