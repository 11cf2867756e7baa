package api

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"portalhooks/delivery"
	"portalhooks/test/harness"
)

// An http2Client writes and reads the frames of one connection by hand.
type http2Client struct {
	*http2.Framer

	conn    *tls.Conn
	streams uint32 // that the server allows at once
}

// dialHTTP2 opens a connection on which the server may send window bytes of each
// answer.
func dialHTTP2(t *testing.T, s *harness.APIServer, window uint32) (*http2Client, error) {
	bare, err := dialSlow(t.Context(), s)
	if err != nil {
		return nil, err
	}
	config := s.ClientTLS(t)
	config.ServerName, config.NextProtos = "127.0.0.1", []string{"h2"}
	c := &http2Client{conn: tls.Client(bare, config)}
	c.Framer = http2.NewFramer(c.conn, c.conn)
	if _, err := c.conn.Write([]byte(http2.ClientPreface)); err != nil {
		return nil, err
	}
	if err := c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}); err != nil {
		return nil, err
	}
	frame, err := c.ReadFrame()
	if err != nil {
		return nil, err
	}
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		return nil, fmt.Errorf("the server began with %v", frame)
	}
	c.streams, _ = settings.Value(http2.SettingMaxConcurrentStreams)
	return c, c.WriteSettingsAck()
}

// get asks for the schema on a stream.
func (c *http2Client) get(stream uint32, key string) error {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, field := range []hpack.HeaderField{
		{Name: ":method", Value: "GET"},
		{Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "x"},
		{Name: ":path", Value: "/schema.graphql"},
		{Name: "authorization", Value: "Bearer " + key},
	} {
		if err := e.WriteField(field); err != nil {
			return err
		}
	}
	return c.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true,
	})
}

// getAll asks for the schema on as many streams as there may be.
func (c *http2Client) getAll(key string) error {
	for i := range c.streams {
		if err := c.get(2*i+1, key); err != nil {
			return err
		}
	}
	return nil
}

// deafHTTP2 reads nothing, and is open to much.
func deafHTTP2(t *testing.T, s *harness.APIServer, key string) error {
	c, err := dialHTTP2(t, s, 1<<20)
	if err != nil {
		return err
	}
	defer func() { _ = c.conn.Close() }()
	if err := c.WriteWindowUpdate(0, 1<<30); err != nil {
		return err
	}
	if err := c.getAll(key); err != nil {
		return err
	}
	return untilRefused(t, func() error { return c.WritePing(false, [8]byte{}) })
}

// silentHTTP2 reads everything, and never answers: neither pings nor with room
// for what the server has to send.
func silentHTTP2(asks bool) func(*testing.T, *harness.APIServer, string) error {
	return func(t *testing.T, s *harness.APIServer, key string) error {
		c, err := dialHTTP2(t, s, 0)
		if err != nil {
			return err
		}
		defer func() { _ = c.conn.Close() }()
		if asks {
			err = c.getAll(key)
		}
		for err == nil {
			_, err = c.ReadFrame()
			if _, bad := errors.AsType[http2.ConnectionError](err); bad {
				return err
			}
		}
		return nil
	}
}

// HTTP/2 gives a client no more of the server's time and memory than HTTP/1.1
// does. No other test runs beside this one, because it measures the whole
// process.
func TestSlowClientsOverTLS(t *testing.T) {
	settings := harness.APISettings(t, harness.APIDatabases["SQLite"](t), "http://127.0.0.1:9")
	settings.Timeouts = brief
	harness.UseTLS(t, settings)
	harness.MakeFirstKey(t, settings)
	s := harness.StartApp(t, settings)
	s.Must(t, s.Key(t, delivery.AdminKey, "slow"), harness.WhoAmI, nil)
	before, running := heapInUse(), runtime.NumGoroutine()
	suffer(s, t, map[string]slowClient{
		"a handshake that never comes":      {brief.Header, dripping("", "")},
		"HTTP/2 answers that are not read":  {brief.Write, deafHTTP2},
		"HTTP/2 answers without room":       {brief.Ping + brief.Write, silentHTTP2(true)},
		"an HTTP/2 connection without word": {brief.Idle, silentHTTP2(false)},
	})
	err := harness.Eventually(t.Context(), "nothing runs for them", runsFew(running+20))
	if err != nil {
		t.Error(err)
	}
	if grown := heapInUse() - before; grown > 32<<20 {
		t.Errorf("the server has kept %d MiB of them", grown>>20)
	}
}

// A connection has a bounded number of streams, each with little memory: a
// hundred deaf connections must not hold a hundred thousand answers.
func TestHTTP2ConnectionsHaveFewStreams(t *testing.T) {
	t.Parallel()
	settings := harness.APISettings(t, harness.APIDatabases["SQLite"](t), "http://127.0.0.1:9")
	harness.UseTLS(t, settings)
	harness.MakeFirstKey(t, settings)
	c, err := dialHTTP2(t, harness.StartApp(t, settings), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.conn.Close() }()
	if c.streams != 32 {
		t.Errorf("a connection may have %d streams, want 32", c.streams)
	}
}
