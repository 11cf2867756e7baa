package template

import (
	"strings"
	"unicode/utf8"
)

// Sets of ASCII characters to escape, as bit masks: low for U+0000 to U+003F, high
// for U+0040 to U+007F.
const (
	controls = 1<<0x20 - 1

	// For text in a JSON string. DEL, < > & and the line separators are escaped too,
	// although JSON does not require it, so that a message is harmless in HTML,
	// scripts and terminals.
	textLow  = controls | 1<<'"' | markupLow
	textHigh = 1<<('\\'-64) | markupHigh

	// For JSON inserted by the filter raw, whose strings are escaped already.
	markupLow  = 1<<'&' | 1<<'<' | 1<<'>'
	markupHigh = 1 << (0x7f - 64)

	// For JSON stored in a value.
	minimalLow  = controls | 1<<'"'
	minimalHigh = 1 << ('\\' - 64)
)

const hexDigits = "0123456789abcdef"

// appendEscaped appends text, which is valid UTF-8, and escapes the characters of
// the set and the line separators U+2028 and U+2029. It stops once dst is longer
// than limit.
func appendEscaped(dst []byte, text string, low, high uint64, limit int) []byte {
	done := 0
	for i := 0; i < len(text); {
		b := text[i]
		set := low
		if b >= 64 {
			set = high
		}
		if b < 128 && set>>(b&63)&1 == 0 || b >= 128 && !isSeparator(text[i:]) {
			i++
			continue
		}
		dst = append(dst, text[done:i]...)
		if b < 128 {
			dst = appendEscape(dst, b)
			i++
		} else {
			dst = append(append(dst, `\u202`...), hexDigits[text[i+2]-0xa0])
			i += 3
		}
		done = i
		if len(dst) > limit {
			return dst
		}
	}
	return append(dst, text[done:]...)
}

// isSeparator reports whether text starts with U+2028 or U+2029.
func isSeparator(text string) bool {
	return len(text) > 2 && text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9)
}

// appendEscape appends the escape of an ASCII character.
func appendEscape(dst []byte, b byte) []byte {
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
}

// clean returns text as valid UTF-8 without NUL, which PostgreSQL rejects: every
// invalid byte and every NUL becomes U+FFFD.
func clean(text string) string {
	if utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r == 0 {
			return utf8.RuneError
		}
		return r
	}, text)
}

// unescape returns the clean text of a JSON string.
func unescape(written string) string { return clean(decode(written)) }

// decode unescapes the text between the quotes of a JSON string. An invalid escape
// becomes U+FFFD.
func decode(written string) string {
	if strings.IndexByte(written, '\\') < 0 {
		return written
	}
	text := make([]byte, 0, len(written))
	for written != "" {
		r, size := unescapeRune(written)
		text = utf8.AppendRune(text, r)
		written = written[size:]
	}
	return string(text)
}

// unescapeRune unescapes the first character of written, which must not be empty,
// and returns its length in written.
func unescapeRune(written string) (rune, int) {
	if written[0] != '\\' || len(written) == 1 {
		return utf8.DecodeRuneInString(written)
	}
	if i := strings.IndexByte(`"\/bfnrt`, written[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2
	}
	r, ok := hex4(written)
	switch {
	case !ok:
		return utf8.RuneError, 1
	case isPair(written):
		low, _ := hex4(written[6:])
		return (r-0xd800)<<10 | (low - 0xdc00) + 0x10000, 12
	case isSurrogate(r):
		return utf8.RuneError, 6
	}
	return r, 6
}

// hex4 parses an escape of the form \u0000.
func hex4(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(text[2:6]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func isSurrogate(r rune) bool { return r >= 0xd800 && r < 0xe000 }

// isPair reports whether text starts with an escaped surrogate pair.
func isPair(text string) bool {
	high, ok := hex4(text)
	if !ok || high < 0xd800 || high >= 0xdc00 {
		return false
	}
	low, ok := hex4(text[6:])
	return ok && low >= 0xdc00 && low < 0xe000
}

// scanNumber returns the end of the JSON number at from, and whether there is one.
func scanNumber(text string, from int) (end int, ok bool) {
	at := from
	digits := func() bool {
		start := at
		for at < len(text) && text[at] >= '0' && text[at] <= '9' {
			at++
		}
		return at > start
	}
	if at < len(text) && text[at] == '-' {
		at++
	}
	zero := at < len(text) && text[at] == '0'
	if start := at; !digits() || zero && at > start+1 {
		return from, false
	}
	if at < len(text) && text[at] == '.' {
		at++
		if !digits() {
			return from, false
		}
	}
	if at < len(text) && text[at]|0x20 == 'e' {
		at++
		if at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		if !digits() {
			return from, false
		}
	}
	return at, true
}
