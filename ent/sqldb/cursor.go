package sqldb

import (
	"encoding/base64"
	"strings"
)

// MaxPage bounds what one call reads.
const MaxPage = 1000

// ReadCursor returns the bytes of a cursor, and false for what is none. Package
// base64 ignores line breaks, and no cursor has one.
func ReadCursor(text string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return b, err == nil && !strings.ContainsAny(text, "\r\n")
}
