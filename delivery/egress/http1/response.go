package http1

import (
	"bytes"
	"errors"
	"net/http"
)

// MaxHeaderBytes limits what precedes the body of a response, in bytes: the
// status line and the headers, and those of interim responses.
const MaxHeaderBytes = 16 << 10

// ErrHeaderTooLong is the error of a call whose receiver sends more than
// MaxHeaderBytes before the body.
var ErrHeaderTooLong = errors.New("response headers too long")

// response reads the final response up to its body. Interim responses share its
// budget. The body needs no Close: it holds nothing but c.
func (c *conn) response() (*http.Response, error) {
	for {
		if err := c.gather(); errors.Is(err, ErrHeaderTooLong) {
			return nil, err
		}
		resp, err := http.ReadResponse(c.reader, nil)
		if err != nil || !isInterim(resp.StatusCode) {
			return resp, err
		}
	}
}

func isInterim(status int) bool {
	return status >= 100 && status <= 199 && status != http.StatusSwitchingProtocols
}

// gather reads until a head is complete. net/http needs up to twenty times the
// size of a head while it parses it, and a receiver that stalls in the middle
// would hold that memory until the deadline. If reading fails first, net/http
// parses the incomplete head and meets the same error at its end.
func (c *conn) gather() error {
	head := c.buffered()
	for seen := 0; !hasEnd(head, seen) && isHTTP(head); head = c.buffered() {
		if seen = len(head); seen == c.reader.Size() {
			return c.gatherLong(head)
		}
		if _, err := c.reader.Peek(seen + 1); err != nil {
			return err
		}
	}
	return nil
}

// gatherLong completes a head that does not fit into the reader. The budget
// limits it, together with what is received of the body.
func (c *conn) gatherLong(begun []byte) error {
	long := make([]byte, len(begun), len(begun)+len(c.replay)+int(c.budget)) // room for all that Read returns
	copy(long, begun)
	var err error
	for seen := 0; err == nil && !hasEnd(long, seen); {
		seen = len(long)
		var n int
		n, err = c.Read(long[seen:cap(long)])
		long = long[:seen+n]
	}
	c.replay = append(long, c.replay...)
	c.reader.Reset(c)
	return err
}

// buffered returns what has been received and not yet parsed.
func (c *conn) buffered() []byte {
	b, _ := c.reader.Peek(c.reader.Buffered())
	return b
}

// hasEnd reports whether b, whose first seen bytes do not, contains the empty
// line that ends a head.
func hasEnd(b []byte, seen int) bool {
	b = b[max(seen-2, 0):]
	return bytes.Contains(b, []byte("\n\r\n")) || bytes.Contains(b, []byte("\n\n"))
}

// isHTTP reports whether b may be the beginning of a response. Servers of other
// protocols greet their client and wait, so their head would never be complete.
func isHTTP(b []byte) bool {
	const version = "HTTP/"
	n := min(len(b), len(version))
	return string(b[:n]) == version[:n]
}
