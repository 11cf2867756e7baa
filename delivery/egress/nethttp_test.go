package egress

import (
	"bytes"
	"context"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"testing"

	"portalhooks/delivery/egress/http1"
)

// A netHTTP makes calls with net/http, by which ours are judged.
type netHTTP struct{ transport *http.Transport }

func netHTTPCaller(_ testing.TB, open connector) caller {
	return netHTTP{&http.Transport{
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return open(), nil },
		DisableCompression:     true,
		MaxResponseHeaderBytes: http1.MaxHeaderBytes,
	}}
}

func (n netHTTP) Close() { n.transport.CloseIdleConnections() }

func (n netHTTP) Do(ctx context.Context, r Request) (result Result) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	var at atomic.Int32
	at.Store(int32(preparing))
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			at.Store(int32(waiting))
			result.RemoteAddr = info.Conn.RemoteAddr().String()
		},
		GotFirstResponseByte: func() { at.Store(int32(reading)) },
	})
	if err := n.roundTrip(ctx, r, &result); err != nil {
		result.Outcome, result.Err = ofFailure(context.Background(), ctx, err, step(at.Load()), r.Timeout)
	}
	return result
}

func (n netHTTP) roundTrip(ctx context.Context, r Request, result *Result) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return err
	}
	maps.Copy(req.Header, r.Header)
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header.Set("User-Agent", "Portalhooks")
	}
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := n.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	result.head(resp, amply)
	return readBody(resp.Body, resp.ContentLength, result, amply)
}

// amply allows a long response, as for the only call of a client.
func amply() bool { return true }
