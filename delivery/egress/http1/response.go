package http1

import (
	"bytes"
	"errors"
	"net/http"
)

// MaxHeaderBytes is how much may come before the body of a response, interim
// responses included.
const MaxHeaderBytes = 16 << 10

// ErrHeaderTooLong is the failure of a call whose receiver sends more than
// MaxHeaderBytes before the body.
var ErrHeaderTooLong = errors.New("response headers too long")

// answer reads up to the body of an answer. Answers that announce another one
// share its budget. The body can be left as it is: it holds nothing but c.
func (c *conn) answer() (*http.Response, error) {
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

// gather reads until net/http can parse a head without waiting: half a head that
// is parsed takes up to twenty times its text, for as long as the receiver
// stalls. If the connection fails first, net/http parses what has come and meets
// the same error behind it.
func (c *conn) gather() error {
	come := c.come()
	for seen := 0; !hasEnd(come, seen) && isHTTP(come); come = c.come() {
		if seen = len(come); seen == c.reader.Size() {
			return c.gatherLong(come)
		}
		if _, err := c.reader.Peek(seen + 1); err != nil {
			return err
		}
	}
	return nil
}

// gatherLong gathers a head that does not fit into the reader. The budget bounds
// it, and what has come of the body with it.
func (c *conn) gatherLong(come []byte) error {
	long := append(make([]byte, 0, MaxHeaderBytes), come...)
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

// come returns what has been read and not yet parsed.
func (c *conn) come() []byte {
	b, _ := c.reader.Peek(c.reader.Buffered())
	return b
}

// hasEnd reports whether b, whose first seen bytes do not, contains the empty
// line that ends a head.
func hasEnd(b []byte, seen int) bool {
	b = b[max(seen-2, 0):]
	return bytes.Contains(b, []byte("\n\r\n")) || bytes.Contains(b, []byte("\n\n"))
}

// isHTTP reports whether b may be the beginning of a response. A server of
// another protocol greets its client and then waits, so that nothing more comes.
func isHTTP(b []byte) bool {
	const version = "HTTP/"
	n := min(len(b), len(version))
	return string(b[:n]) == version[:n]
}
