package egress

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

const replacement = "\uFFFD"

// What a call without a slot for a long response keeps, in bytes and values.
const (
	briefBody         = 2 << 10
	briefHeader       = 1 << 10
	briefHeaderValues = 16
)

// readBody reads at most MaxRead bytes of a body and keeps the beginning of it:
// up to MaxBody if ample agrees, which is asked only for long bodies. It reads on
// to the end, so that the connection can be reused. The deadline of the call ends
// the reading from a slow receiver.
func readBody(body io.Reader, length int64, r *Result, ample func() bool) error {
	if length == 0 {
		return nil
	}
	kept, limit := make([]byte, 0, sizeHint(length)), briefBody
	var spill []byte // receives what is not kept
	for r.BodyBytes <= MaxRead {
		if len(kept) == briefBody && limit == briefBody && ample() {
			limit = MaxBody
		}
		if len(kept) == cap(kept) && len(kept) < limit {
			kept = slices.Grow(kept, min(len(kept), limit-len(kept)))
		}
		into := kept[len(kept):min(cap(kept), limit)]
		if len(into) == 0 {
			if spill == nil {
				spill = make([]byte, 1<<10) // the connection is read in larger pieces
			}
			into = spill
		}
		// One byte more than is kept tells a long body from one that fits.
		n, err := body.Read(into[:min(int64(len(into)), MaxRead+1-r.BodyBytes)])
		r.BodyBytes += int64(n)
		if len(kept) < limit {
			kept = kept[:len(kept)+n]
		}
		if err != nil {
			r.keep(kept)
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
	r.BodyBytes = MaxRead
	r.keep(kept)
	return nil
}

// sizeHint leaves room for the read that finds the end of the body.
func sizeHint(length int64) int64 {
	if length < 0 {
		return 512
	}
	return min(length+1, briefBody)
}

// keep stores the beginning of a body as text.
func (r *Result) keep(kept []byte) {
	whole := int64(len(kept)) == r.BodyBytes
	if !whole {
		kept = trimRune(kept)
	}
	text := toText(kept)
	if len(text) > MaxBody {
		text, whole = trimRune(text[:MaxBody]), false
	}
	r.Body, r.Truncated = text, !whole
}

// toText makes valid UTF-8 without NUL, which PostgreSQL can't store.
func toText(b []byte) []byte {
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte(replacement))
	}
	if bytes.IndexByte(b, 0) >= 0 {
		b = bytes.ReplaceAll(b, []byte{0}, []byte(replacement))
	}
	return b
}

// trimRune drops a rune that was cut in two at the end of b.
func trimRune(b []byte) []byte {
	for i := 1; i <= min(utf8.UTFMax-1, len(b)); i++ {
		if start := b[len(b)-i:]; utf8.RuneStart(start[0]) {
			if !utf8.FullRune(start) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// keepHeader removes credentials from h, which becomes part of a Result, and cuts
// the rest to the larger or the smaller limit. It asks ample only if the rest
// exceeds the smaller limit.
func keepHeader(h http.Header, ample func() bool) http.Header {
	size, values, clean := 0, 0, true
	for name, list := range h {
		if isCredential(name) {
			delete(h, name)
			continue
		}
		for _, value := range list {
			size += len(name) + len(value)
			values++
			clean = clean && isClean(name) && isClean(value)
		}
	}
	maxSize, maxValues := maxHeaderKept, maxHeaderValues
	if (size > briefHeader || values > briefHeaderValues) && !ample() {
		maxSize, maxValues = briefHeader, briefHeaderValues
	}
	if clean && size <= maxSize && values <= maxValues {
		return h
	}
	return cutHeader(h, maxSize, maxValues)
}

func isCredential(name string) bool {
	switch name {
	case "Set-Cookie", "Set-Cookie2", "Cookie", "Authorization", "Proxy-Authorization", "Www-Authenticate",
		"Proxy-Authenticate", "Authentication-Info", "Proxy-Authentication-Info":
		return true
	}
	return false
}

// cutHeader keeps names in alphabetical order, so that equal responses are cut
// equally.
func cutHeader(h http.Header, maxSize, maxValues int) http.Header {
	kept := http.Header{}
	size, values := 0, 0
	for _, name := range slices.SortedFunc(maps.Keys(h), cmp.Compare[string]) {
		for _, value := range h[name] {
			name, value := cleanHeader(name), cleanHeader(value)
			size += len(name) + len(value)
			values++
			if size > maxSize || values > maxValues {
				return kept
			}
			kept[name] = append(kept[name], value)
		}
	}
	return kept
}

func isClean(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func cleanHeader(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, replacement), "\x00", replacement)
}
