package egress

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
)

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
