package http1

import (
	"errors"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// errHeader contains neither the header nor its value, which may be a secret.
var errHeader = errors.New("invalid header")

// identity is the only value of Accept-Encoding: a small compressed response
// could expand to a large one.
const identity = "identity"

// appendRequest appends to b the bytes that net/http would send before the body
// of a POST request.
func appendRequest(b []byte, r *Request, userAgent string) ([]byte, error) {
	room := [32]string{}
	names := append(room[:0], "Accept-Encoding")
	for name, values := range r.Header {
		if !isToken(name) || slices.ContainsFunc(values, isBroken) {
			return b, errHeader
		}
		if !isFraming(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)

	b = append(b, r.Start...)
	if own, ok := r.Header["User-Agent"]; ok {
		userAgent = strings.Join(own[:min(len(own), 1)], "")
	}
	if userAgent != "" {
		b = appendHeader(b, "User-Agent", userAgent)
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(r.Body)), 10)
	b = append(b, "\r\n"...)
	for _, name := range names {
		if name == "Accept-Encoding" {
			b = appendHeader(b, name, identity)
			continue
		}
		for _, value := range r.Header[name] {
			b = appendHeader(b, name, value)
		}
	}
	return append(b, "\r\n"...), nil
}

func appendHeader(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, textproto.TrimString(value)...)
	return append(b, "\r\n"...)
}

// isFraming reports whether this package itself writes a header, in any spelling
// of its name: a second one could change where the request ends.
func isFraming(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Host", "User-Agent", "Accept-Encoding", "Content-Length", "Transfer-Encoding", "Trailer":
		return true
	}
	return false
}

func isToken(name string) bool {
	for i := range len(name) {
		if !isTokenByte(name[i]) {
			return false
		}
	}
	return name != ""
}

func isTokenByte(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isBroken reports whether a header's value has control characters.
func isBroken(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}
