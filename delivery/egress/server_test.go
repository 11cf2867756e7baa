package egress

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// serveConnections hands each connection to handle, with a function that
// answers one request with 200 and reports whether it could. After handle
// returns one more request is read before the connection is closed.
func serveConnections(t *testing.T, handle func(serve func() bool)) (address string) {
	t.Helper()
	listener := listen(t)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer func() { _ = conn.Close() }()
				reader := bufio.NewReader(conn)
				handle(func() bool {
					if !readRequest(reader) {
						return false
					}
					_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					return err == nil
				})
				readRequest(reader)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

// listen returns a listener on a free port of this machine.
func listen(t testing.TB) net.Listener {
	t.Helper()
	var config net.ListenConfig
	return must(config.Listen(t.Context(), "tcp", "127.0.0.1:0"))
}

func readRequest(reader *bufio.Reader) bool {
	request, err := http.ReadRequest(reader)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, request.Body)
	return err == nil
}
