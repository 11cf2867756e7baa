package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"portalhooks/app"
	"portalhooks/delivery"
	"portalhooks/test/harness"
)

// brief are limits of time that a test can wait for, and that an honest caller
// keeps to while the machine is busy.
var brief = app.Timeouts{
	Header: 5 * time.Second, Body: 6 * time.Second, Answer: 5 * time.Second, Idle: 5 * time.Second,
	Init: 6 * time.Second, Ping: 500 * time.Millisecond, Write: 5 * time.Second,
}

const dripPause = 50 * time.Millisecond

// A slowClient takes the server's time. Its stay ends when the server has let go
// of it, with an error unless that was in the right way.
type slowClient struct {
	limit time.Duration // after which the server lets go
	stay  func(t *testing.T, s *harness.APIServer, key string) error
}

func slowClients() map[string]slowClient {
	const (
		post    = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
		silent  = 2 * 500 * time.Millisecond // two pings
	)
	list := harness.Query(`{ organization(id: "slow") { webhooks(first: 4) { nodes { `+fat(50)+" } } } }", nil)
	watch := harness.Query(`subscription ($after: Cursor) { deliveryLog(organizationId: "slow", after: $after) {
		... on DeliveryLogEntry { delivery { webhook { `+fat(25)+` } } } } }`,
		map[string]any{"after": harness.LogStart()})
	return map[string]slowClient{
		"a connection that says nothing": {brief.Header, dripping("", "")},
		"a request line that drips":      {brief.Header, dripping("POST /", "a")},
		"headers that drip":              {brief.Header, dripping(post, "X: y\r\n")},
		"a body that drips":              {brief.Body, dripping(post+"Content-Length: 10000\r\n\r\n{", " ")},
		"a body that never comes":        {brief.Body, dripping(post+"Content-Length: 10000\r\n\r\n", "")},
		"chunks that drip":               {brief.Body, dripping(chunked, "1\r\n{\r\n")},
		"silence after a good request": {
			brief.Idle,
			dripping("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", ""),
		},
		"pages that are not read":              {brief.Answer, deafReader},
		"an answer that is not read":           {brief.Write, deafCaller("application/json", list)},
		"an event stream that is not read":     {brief.Write, deafCaller("text/event-stream", watch)},
		"a socket without connection_init":     {brief.Init, withoutInit},
		"a socket that answers no pings":       {silent + brief.Write, withoutPongs},
		"a socket that reads no answers":       {brief.Write, deafSocket(list)},
		"a socket that reads no subscriptions": {brief.Write, deafSocket(watch)},
	}
}

// fat asks for fields of a webhook that have megabytes together.
func fat(times int) string {
	return manyTimes(times, func(i int) string { return fmt.Sprintf("a%d: template ", i) })
}

// Clients that send, read or answer too slowly are let go when their time is
// over, and nothing is kept of them. Others are served meanwhile. No other test
// runs beside this one, because it measures the whole process.
func TestSlowClients(t *testing.T) {
	for name, database := range harness.APIDatabases {
		t.Run(name, func(t *testing.T) {
			receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			t.Cleanup(receiver.Close)
			settings := harness.APISettings(t, database(t), receiver.URL)
			settings.Timeouts = brief
			harness.MakeFirstKey(t, settings)
			s := harness.StartApp(t, settings)
			makeMuchToRead(s, t, receiver.URL)
			before, running := heapInUse(), runtime.NumGoroutine()
			suffer(s, t, slowClients())
			err := harness.Eventually(t.Context(), "nothing runs for them", runsFew(running+20))
			if err != nil {
				t.Error(err)
			}
			if grown := heapInUse() - before; grown > 32<<20 {
				t.Errorf("the server has kept %d MiB of them", grown>>20)
			}
		})
	}
}

// runsFew reports whether fewer than n goroutines run.
func runsFew(n int) func(context.Context) (bool, error) {
	return func(context.Context) (bool, error) { return runtime.NumGoroutine() < n, nil }
}

// suffer lets three of each kind come at once and calls as others do until all
// have been let go.
func suffer(s *harness.APIServer, t *testing.T, clients map[string]slowClient) {
	t.Helper()
	const each = 3
	var all sync.WaitGroup
	for name, c := range clients {
		for range each {
			key := s.Key(t, delivery.OperatorKey, "") // operators have shares of their own
			all.Go(func() {
				began := time.Now()
				err := c.stay(t, s, key)
				if took := time.Since(began); err != nil || took < c.limit || took > c.limit+harness.Patience {
					t.Errorf("%s: let go after %s (%v), want %s", name, took, err, c.limit)
				}
			})
		}
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		all.Wait()
	}()
	key, calls, longest := s.Key(t, delivery.AdminKey, "slow"), 0, time.Duration(0)
	for over := false; !over; calls++ {
		began := time.Now()
		call := s.Request(t, key, harness.WhoAmI, nil)
		call.Close = true // its connection would be let go between two calls
		if a := s.Exchange(t, call); a.Status != http.StatusOK {
			t.Errorf("another caller: %d %s", a.Status, a.Body)
		}
		longest = max(longest, time.Since(began))
		select {
		case <-gone:
			over = true
		case <-time.After(dripPause):
		}
	}
	if calls < 10 {
		t.Errorf("others had %d answers meanwhile", calls)
	}
	t.Logf("%d answers meanwhile, the slowest after %s", calls, longest)
}

// makeMuchToRead makes a webhook with a large template, and deliveries of it.
func makeMuchToRead(s *harness.APIServer, t *testing.T, receiver string) {
	t.Helper()
	s.Must(t, s.Key(t, delivery.AdminKey, "slow"), `mutation ($in: CreateWebhookInput!) {
		createWebhook(input: $in) { userErrors { message } } }`, map[string]any{"in": map[string]any{
		"organizationId": "slow", "name": "fat", "eventType": "ACTIVE_ALERT", "targetUrl": receiver,
		"selection": map[string]any{"all": true}, "template": `{"a": "` + strings.Repeat("x", 60<<10) + `"}`,
	}})
	w := &harness.World{
		APIServer: s, Portal: s.Key(t, delivery.PortalKey, ""), Operator: s.Key(t, delivery.OperatorKey, ""),
	}
	w.Report(t, "slow", 0, 5)
}
