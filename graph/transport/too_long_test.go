package transport_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	bodyLimit = 1 << 20 // of options
	postHead  = "POST /graphql HTTP/1.1\r\nHost: pipe\r\nContent-Type: application/json\r\n"
)

// A client that writes all of a body that is too long, and reads only then, gets
// the answer.
func TestAClientThatWritesFirstReadsWhyItsBodyIsRefused(t *testing.T) {
	text := strings.Repeat(" ", bodyLimit+bodyLimit/8)
	for name, request := range map[string]string{
		"with its length": fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", postHead, len(text), text),
		"in chunks":       fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", postHead, len(text), text),
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, options(), func(t *testing.T, w *world) {
				conn := w.connection()
				if _, err := io.WriteString(conn, request); err != nil {
					t.Errorf("the body can't be written: %v", err)
				}
				refusedAsTooLong(t, conn)
			})
		})
	}
}

// A body is read on for a bounded time and a bounded number of bytes.
func TestABodyThatIsTooLongIsReadWithinBounds(t *testing.T) {
	const head = postHead + "Content-Length: 1000000000\r\n\r\n"
	t.Run("a slow one", func(t *testing.T) {
		inVirtualTime(t, options(), func(t *testing.T, w *world) {
			conn := w.connection()
			start := time.Now()
			if _, err := io.WriteString(conn, head); err != nil {
				t.Fatal(err)
			}
			refusedAsTooLong(t, conn)
			took(t, start, 5*time.Second)
		})
	})
	t.Run("a fast one", func(t *testing.T) {
		inVirtualTime(t, options(), func(t *testing.T, w *world) {
			conn := w.connection()
			var written int64
			go func() {
				_, _ = io.WriteString(conn, head) // read by the server, as the rest shows
				written, _ = io.CopyN(conn, spaces{}, 1e9)
			}()
			refusedAsTooLong(t, conn)
			conn.Close()
			synctest.Wait()
			if most := int64(10 * bodyLimit); written > most {
				t.Errorf("the server has read %d bytes, want %d at most", written, most)
			}
		})
	})
}

// A client that asks before it sends a body is told without it.
func TestABodyThatIsTooLongIsNotAskedFor(t *testing.T) {
	inVirtualTime(t, options(), func(t *testing.T, w *world) {
		conn := w.connection()
		start := time.Now()
		_, err := fmt.Fprintf(conn, "%sExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", postHead, bodyLimit+1)
		if err != nil {
			t.Fatal(err)
		}
		refusedAsTooLong(t, conn)
		took(t, start, 0)
	})
}

// connection opens a connection to the world's server, until the test ends.
func (w *world) connection() net.Conn {
	w.t.Helper()
	conn, err := w.pipes.dial(w.t.Context(), "", "")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = conn.Close()        // twice does no harm
		time.Sleep(time.Second) // net/http leaves a connection half a second after an early answer
	})
	return conn
}

func refusedAsTooLong(t *testing.T, conn net.Conn) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Errorf("the answer can't be read: %v", err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge ||
		!strings.Contains(string(text), fmt.Sprintf("longer than %d bytes", bodyLimit)) {
		t.Errorf("the answer is %d %s, %v, want 413 with the limit", resp.StatusCode, text, err)
	}
}

// spaces never end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
