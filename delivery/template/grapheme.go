package template

import (
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// boundary returns the last grapheme boundary of text at or before cut, or cut
// itself if there is none nearby. It reads only the text around cut, so that its cost
// does not depend on the length of the text. Cut must be a character boundary inside
// the text.
func boundary(text string, cut int) int {
	if isPrintable(text[cut]) {
		return cut
	}
	from := anchor(text, cut)
	_, size := utf8.DecodeRuneInString(text[cut:])
	at, rest, state := from, text[from:cut+size], -1
	for rest != "" {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if at+len(cluster) > cut {
			break
		}
		at += len(cluster)
	}
	if at == 0 || at == from && !isPrintable(text[from]) {
		return cut
	}
	return at
}

// anchor returns an offset before cut where a grapheme starts: a printable ASCII
// character. If there is none nearby, it returns the start of some character.
func anchor(text string, cut int) int {
	const window = 128
	from := cut
	for from > 0 && cut-from < window {
		from--
		if isPrintable(text[from]) {
			return from
		}
	}
	for !utf8.RuneStart(text[from]) {
		from++
	}
	return from
}

func isPrintable(b byte) bool { return b >= ' ' && b < 0x7f }
