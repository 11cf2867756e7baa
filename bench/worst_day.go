package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"portalhooks/delivery/loop"
)

const (
	neighbourCallers = 4    // that report operations at once
	neighbourBodies  = 100  // requests at once whose bodies never come
	neighbourAPIRate = "50" // the default
	worstPause       = 50 * time.Millisecond
)

// A worstDay is what an organization can do to the others of a server: it reports
// operations on many devices for many webhooks, whose receivers hang or are slow, and
// each of its keys reads all that it may and sends requests without their bodies.
type worstDay struct {
	b                 *bench
	s                 *serverProcess
	keys              []string
	webhooks, devices int

	reports, reads, bodies atomic.Int64
}

// String describes it for the note of a figure.
func (w *worstDay) String() string {
	return fmt.Sprintf("The other organization made %d reports of %d devices for %d webhooks from %d callers, "+
		"of which %d answer after %s and the rest hang; its %d keys asked %d times for everything, and %d "+
		"bodies never came.", w.reports.Load(), w.devices, w.webhooks, neighbourCallers,
		min(neighbourSlow, w.webhooks), slowAnswer, len(w.keys), w.reads.Load(), w.bodies.Load())
}

// check asks for everything once, which is possible while nothing else happens.
func (w *worstDay) check(ctx context.Context) error {
	answer, err := w.s.postAs(ctx, w.s.client, w.keys[0], strings.NewReader(readEverything))
	if err == nil && bytes.Contains(answer, []byte(`"errors"`)) {
		err = fmt.Errorf("the neighbour can't ask for everything: %.300s", answer)
	}
	return err
}

// begin begins it and returns what ends it. What becomes of its requests is not the
// business of the measurement.
func (w *worstDay) begin(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	again := func(count *atomic.Int64, do func()) {
		all.Go(func() {
			for ctx.Err() == nil {
				do()
				count.Add(1)
			}
		})
	}
	for range neighbourCallers {
		again(&w.reports, func() { _, _ = w.s.post(ctx, w.b.restart(w.devices)) })
	}
	readers := newHTTP(len(w.keys))
	for _, key := range w.keys {
		again(&w.reads, func() {
			_, _ = w.s.postAs(ctx, readers, key, strings.NewReader(readEverything))
			loop.Sleep(ctx, worstPause) // a refusal is quick
		})
	}
	for i := range neighbourBodies {
		again(&w.bodies, func() {
			w.withhold(ctx, w.keys[i%len(w.keys)])
			loop.Sleep(ctx, worstPause)
		})
	}
	return func() {
		cancel()
		all.Wait()
		readers.CloseIdleConnections()
	}
}

// readEverything asks for as much as one query may.
var readEverything = fmt.Sprintf(`{"query": %q, "variables": {"org": %q}}`, `query($org: ID!) {
	organization(id: $org) { deliveries(first: 50, filter: {states: [QUEUED, RETRYING, SENDING]}) {
		nodes { id state message attempts { outcome responseBody } webhook { id name } event { id } } } } }`,
	neighbourRef)

// withhold sends the head of a request, and waits for the server to give up waiting
// for its body.
func (w *worstDay) withhold(ctx context.Context, key string) {
	address := strings.TrimPrefix(w.s.url, "http://")
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n{", address, key, http.DefaultMaxHeaderBytes)
	if err == nil {
		_, _ = io.Copy(io.Discard, conn)
	}
}

// restart returns a report of an operation on n devices of the neighbour.
func (b *bench) restart(n int) *bytes.Buffer {
	body := bytes.NewBuffer(make([]byte, 0, 256*n+512))
	at, number := time.Now().UTC(), b.numbers.next()
	now := at.Format(time.RFC3339Nano)
	fmt.Fprintf(body, `{"query":%q,"variables":{"input":[{
		"organizationId": %q, "sourceEventId": %q, "occurredAt": %q,
		"event": {"operation": {"operationId": "restart-%d", "typeId": "restart", "typeName": "Restart",
		"complete": false, "startDate": %q, "workspaces": [`,
		ingestQuery, neighbourRef, sourceID(at, number), now, number, now)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(body, `{"workspace": {"id": "device-%d", "name": "WS-%d"}, "startDate": %q,
			"endDate": %q, "result": "COMPLETED"}`, i, i, now, now)
	}
	body.WriteString("]}}}]}}")
	return body
}
