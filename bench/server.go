package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A serverProcess is a server on a fixture's database, in a separate process.
type serverProcess struct {
	*process

	b       *bench
	fixture *fixture
	url     string // http://host:port
	keys    struct{ Portal, Operator string }
	client  *http.Client
}

var serverListens = regexp.MustCompile(`(http://[^/\s]+)/dev/sign-in`)

// serve starts a server on fx, with more flags. It runs in development mode, which
// requires no settings and exposes metrics.
func (b *bench) serve(ctx context.Context, fx *fixture, flags ...string) (_ *serverProcess, err error) {
	dir := filepath.Join(b.dir, fx.name)
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(data, "encryption.key"), fx.keyFile, 0o600); err != nil {
		return nil, err
	}
	flags = append([]string{
		"serve", "--development", "--listen", "127.0.0.1:0", "--log-level", "error", "--ingest-rate", "0",
		"--api-rate", "0",
	}, flags...)
	env := []string{"PORTALHOOKS_DATABASE=" + fx.url}
	c, url, err := spawn(ctx, b.o.Program, dir, env, serverListens, flags...)
	if err != nil {
		return nil, err
	}
	s := &serverProcess{process: c, b: b, fixture: fx, url: url, client: newHTTP(b.o.shape().callers)}
	b.procfs.watch(c.pid(), serverRole)
	text, err := os.ReadFile(filepath.Join(data, "local.json"))
	if err == nil {
		err = json.Unmarshal(text, &s.keys)
	}
	if err == nil {
		err = until(ctx, 20*time.Millisecond, "the server is ready", func() (bool, error) {
			_, err := call(ctx, s.client, http.MethodGet, s.url+"/readyz")
			return err == nil, ctx.Err()
		})
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// close shuts the server down gracefully.
func (s *serverProcess) close() error {
	s.client.CloseIdleConnections()
	s.b.procfs.unwatch(s.pid())
	return s.stop()
}

// crash kills the server.
func (s *serverProcess) crash() error {
	s.client.CloseIdleConnections()
	s.b.procfs.unwatch(s.pid())
	return s.kill()
}

const ingestQuery = `mutation($input: [PortalEventInput!]!) { ingestEvents(input: $input) {` +
	` results { status } userErrors { message } } }`

// ingest submits n events that rotate over the alerts and waits for their
// acknowledgment. Mark returns the element of an event.
func (s *serverProcess) ingest(ctx context.Context, hooks, n int, mark func() string) error {
	body := bytes.NewBuffer(make([]byte, 0, 512*n+256))
	fmt.Fprintf(body, `{"query":%q,"variables":{"input":[`, ingestQuery)
	at := time.Now().UTC()
	now := at.Format(time.RFC3339Nano)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		number := s.b.numbers.next()
		alert := quietAlert
		if hooks > 0 {
			alert = alertID(int(number) % hooks)
		}
		fmt.Fprintf(body, eventInput, orgRef, sourceID(at, number), now, alert, now, mark())
	}
	body.WriteString("]}}")
	answer, err := s.post(ctx, body)
	if err != nil {
		return err
	}
	if accepted := bytes.Count(answer, []byte(`"ACCEPTED"`)); accepted != n {
		return fmt.Errorf("the server accepted %d of %d events: %.300s", accepted, n, answer)
	}
	return nil
}

// eventInput is an event of the mutation. It is formatted rather than marshaled to use
// little CPU, because the server shares the machine.
const eventInput = `{"organizationId": %q, "sourceEventId": %q, "occurredAt": %q,
	"event": {"activeAlert": {"alert": {"id": %q, "name": "Low disk space",
		"information": "Drive C: 2 GB free of 237 GB", "start": %q, "element": %q,
		"severity": "WARNING", "category": "Performance"}}}}`

func (s *serverProcess) post(ctx context.Context, body io.Reader) ([]byte, error) {
	return s.postAs(ctx, s.client, s.keys.Portal, body)
}

func (s *serverProcess) postAs(
	ctx context.Context, c *http.Client, key string, body io.Reader,
) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/graphql", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	return answer, errors.Join(err, resp.Body.Close())
}

// delivered returns the number of deliveries that the server has stored as delivered.
func (s *serverProcess) delivered(ctx context.Context) (int64, error) {
	page, err := call(ctx, s.client, http.MethodGet, s.url+"/metrics")
	if err != nil {
		return 0, err
	}
	return metric(string(page), `portalhooks_deliveries_total{state="DELIVERED"} `)
}

// metric returns the value of a counter on a page of metrics, or 0 if it is absent.
func metric(page, name string) (int64, error) {
	for line := range strings.Lines(page) {
		if value, found := strings.CutPrefix(line, name); found {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return int64(n), err
		}
	}
	return 0, nil
}

// noMark leaves an event unmarked.
func noMark() string { return unmarked }

// sentNow marks an event with the time at which it is sent.
func sentNow() string { return markPrefix + strconv.FormatInt(time.Now().UnixNano(), 10) }
