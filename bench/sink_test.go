package bench

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestMarkIn(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want int64
		ok   bool
	}{
		"in a message":   {`{"element": "sent-1234", "x": 1}`, 1234, true},
		"at the end":     {`sent-99`, 99, true},
		"none":           {`{"element": "none"}`, 0, false},
		"without a time": {`{"element": "sent-"}`, 0, false},
		"an overflow":    {`sent-99999999999999999999`, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := markIn([]byte(tt.body))
			if ok != tt.ok || ok && got != tt.want {
				t.Errorf("markIn = %d, %t; want %d, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// testReceiver is a sink in this process.
func testReceiver(t *testing.T) *receiver {
	t.Helper()
	server := httptest.NewServer(newSink().routes())
	t.Cleanup(server.Close)
	client := newHTTP(1)
	t.Cleanup(client.CloseIdleConnections)
	return &receiver{url: server.URL, http: client}
}

func send(ctx context.Context, r *receiver, hook int, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.hook(hook), strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func TestSinkRecordsTheFirstArrivalOfAMark(t *testing.T) {
	r := testReceiver(t)
	for _, c := range []struct {
		hook int
		body string
	}{{1, "sent-5"}, {2, "sent-6"}, {1, "none"}, {hangingHook, "sent-7"}} {
		if err := send(t.Context(), r, c.hook, c.body); err != nil {
			t.Fatal(err)
		}
	}
	first, err := r.arrivals(t.Context())
	if err != nil || len(first) != 2 || first[5] == 0 || first[6] == 0 {
		t.Fatalf("arrivals = %v (%v), want 5 and 6", first, err)
	}
	if err := send(t.Context(), r, 1, "sent-5"); err != nil {
		t.Fatal(err)
	}
	again, err := r.arrivals(t.Context())
	if err != nil || again[5] != first[5] {
		t.Errorf("arrival of mark 5 = %d (%v), want the first one, %d", again[5], err, first[5])
	}
	if n, err := r.count(t.Context()); n != 5 || err != nil {
		t.Errorf("count = %d (%v), want 5", n, err)
	}
}

func TestOnlyOneEndpointHangs(t *testing.T) {
	r := testReceiver(t)
	if err := r.hang(t.Context()); err != nil {
		t.Fatal(err)
	}
	hung := make(chan error, 1)
	go func() { hung <- send(t.Context(), r, hangingHook, "x") }()
	if err := send(t.Context(), r, 1, "x"); err != nil {
		t.Error(err)
	}
	select {
	case err := <-hung:
		t.Errorf("the hanging endpoint responded (%v)", err)
	default:
	}
	// After a reset the call is answered even if it arrives only then.
	if err := r.reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-hung; err != nil {
		t.Error(err)
	}
}

func TestSinkEndsWithItsInput(t *testing.T) {
	input, parent := io.Pipe()
	output, said := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- ServeSink(t.Context(), input, said) }()
	line := make([]byte, 100)
	n, err := output.Read(line)
	if err != nil || !sinkListens.Match(bytes.TrimSpace(line[:n])) {
		t.Errorf("output = %q (%v), want the sink's URL", line[:n], err)
	}
	if err := parent.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
