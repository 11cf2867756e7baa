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

// A served is the program, serving a world in a process of its own.
type served struct {
	*child

	b      *bench
	world  *world
	url    string // http://host:port
	keys   struct{ Portal, Operator string }
	client *http.Client
}

var serverListens = regexp.MustCompile(`(http://[^/\s]+)/dev/sign-in`)

// serve starts a server on w. It runs in development mode, where it needs no
// setting and shows its metrics.
func (b *bench) serve(ctx context.Context, w *world) (_ *served, err error) {
	dir := filepath.Join(b.dir, w.name)
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(data, "encryption.key"), w.keyFile, 0o600); err != nil {
		return nil, err
	}
	c, url, err := spawn(ctx, b.o.Program, dir, []string{"PORTALHOOKS_DATABASE=" + w.url}, serverListens,
		"serve", "--listen", "127.0.0.1:0", "--log-level", "error", "--ingest-rate", "0", "--api-rate", "0")
	if err != nil {
		return nil, err
	}
	s := &served{child: c, b: b, world: w, url: url, client: newHTTP(b.o.shape().callers)}
	b.host.watch(c.pid(), serverRole)
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

// close ends the server in good order.
func (s *served) close() error {
	s.client.CloseIdleConnections()
	s.b.host.forget(s.pid())
	return s.stop()
}

// crash ends it without a word.
func (s *served) crash() error {
	s.client.CloseIdleConnections()
	s.b.host.forget(s.pid())
	return s.kill()
}

const ingestQuery = `mutation($input: [PortalEventInput!]!) { ingestEvents(input: $input) {` +
	` results { status } userErrors { message } } }`

// ingest submits n events about the alerts in turn and returns when they are
// acknowledged. Mark makes an event's element.
func (s *served) ingest(ctx context.Context, hooks, n int, mark func() string) error {
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

// eventInput is an event of the mutation. Writing it so costs the measuring
// process little, which shares the machine with what is measured.
const eventInput = `{"organizationId": %q, "sourceEventId": %q, "occurredAt": %q,
	"event": {"activeAlert": {"alert": {"id": %q, "name": "Low disk space",
		"information": "Drive C: 2 GB free of 237 GB", "start": %q, "element": %q,
		"severity": "WARNING", "category": "Performance"}}}}`

func (s *served) post(ctx context.Context, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/graphql", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.keys.Portal)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	return answer, errors.Join(err, resp.Body.Close())
}

// delivered returns how many deliveries the server has made, durably.
func (s *served) delivered(ctx context.Context) (int64, error) {
	page, err := call(ctx, s.client, http.MethodGet, s.url+"/metrics")
	if err != nil {
		return 0, err
	}
	return metric(string(page), `portalhooks_deliveries_total{state="DELIVERED"} `)
}

// metric finds a counter on a page of metrics; one that is not there is 0.
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
