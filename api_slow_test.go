package main

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

	"portalhooks/delivery"
)

// brief are limits of time that a test can wait for, and that an honest caller
// keeps to while the machine is busy.
var brief = timeouts{
	header: 5 * time.Second, body: 6 * time.Second, answer: 5 * time.Second, idle: 5 * time.Second,
	init: 6 * time.Second, ping: 500 * time.Millisecond, write: 5 * time.Second,
}

const dripPause = 50 * time.Millisecond

// A slowClient takes the server's time. Its stay ends when the server has let go
// of it, with an error unless that was in the right way.
type slowClient struct {
	limit time.Duration // after which the server lets go
	stay  func(t *testing.T, s *apiServer, key string) error
}

func slowClients() map[string]slowClient {
	const (
		post    = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		page    = "GET /schema.graphql HTTP/1.1\r\nHost: x\r\n\r\n"
		chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
		silent  = 2 * 500 * time.Millisecond // two pings
	)
	list := query("{ organization { webhooks { nodes { "+fat()+" } } } }", nil)
	watch := query(`subscription ($after: Cursor) { deliveryLog(after: $after) {
		... on DeliveryLogEntry { delivery { webhook { `+fat()+` } } } } }`, map[string]any{"after": logStart()})
	return map[string]slowClient{
		"a connection that says nothing":       {brief.header, dripping("", "")},
		"a request line that drips":            {brief.header, dripping("POST /", "a")},
		"headers that drip":                    {brief.header, dripping(post, "X: y\r\n")},
		"a body that drips":                    {brief.body, dripping(post+"Content-Length: 10000\r\n\r\n{", " ")},
		"a body that never comes":              {brief.body, dripping(post+"Content-Length: 10000\r\n\r\n", "")},
		"chunks that drip":                     {brief.body, dripping(chunked, "1\r\n{\r\n")},
		"silence after a good request":         {brief.idle, dripping("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "")},
		"pages that are not read":              {brief.answer, deaf(strings.Repeat(page, 500))},
		"an answer that is not read":           {brief.write, deafCaller("application/json", list)},
		"an event stream that is not read":     {brief.write, deafCaller("text/event-stream", watch)},
		"a socket without connection_init":     {brief.init, withoutInit},
		"a socket that answers no pings":       {silent + brief.write, withoutPongs},
		"a socket that reads no answers":       {brief.write, deafSocket(list)},
		"a socket that reads no subscriptions": {brief.write, deafSocket(watch)},
	}
}

// fat asks for fields of a webhook that have megabytes together.
func fat() string {
	return manyTimes(50, func(i int) string { return fmt.Sprintf("a%d: template ", i) })
}

// Clients that send, read or answer too slowly are let go when their time is
// over, and nothing is kept of them. Others are served meanwhile. No other test
// runs beside this one, because it measures the whole process.
func TestSlowClients(t *testing.T) {
	for name, database := range apiDatabases {
		t.Run(name, func(t *testing.T) {
			receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			t.Cleanup(receiver.Close)
			settings := apiSettings(t, database(t), receiver.URL)
			settings.timeouts = brief
			makeFirstKey(t, settings)
			s := startApp(t, settings)
			s.makeMuchToRead(t, receiver.URL)
			before, running := heapInUse(), runtime.NumGoroutine()
			s.suffer(t)
			err := eventually(t.Context(), "nothing runs for them", func(context.Context) (bool, error) {
				return runtime.NumGoroutine() < running+20, nil
			})
			if err != nil {
				t.Error(err)
			}
			if grown := heapInUse() - before; grown > 32<<20 {
				t.Errorf("the server has kept %d MiB of them", grown>>20)
			}
		})
	}
}

// suffer lets three of each kind come at once and calls as others do until all
// have been let go.
func (s *apiServer) suffer(t *testing.T) {
	t.Helper()
	const each = 3
	var all sync.WaitGroup
	for name, c := range slowClients() {
		key := s.key(t, delivery.AdminKey, "slow")
		for range each {
			all.Go(func() {
				began := time.Now()
				err := c.stay(t, s, key)
				if took := time.Since(began); err != nil || took < c.limit || took > c.limit+patience {
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
	key, calls, longest := s.key(t, delivery.AdminKey, "slow"), 0, time.Duration(0)
	for over := false; !over; calls++ {
		began := time.Now()
		call := s.request(t, key, whoAmI, nil)
		call.Close = true // its connection would be let go between two calls
		if a := s.exchange(t, call); a.status != http.StatusOK {
			t.Errorf("another caller: %d %s", a.status, a.body)
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
func (s *apiServer) makeMuchToRead(t *testing.T, receiver string) {
	t.Helper()
	s.must(t, s.key(t, delivery.AdminKey, "slow"), `mutation ($in: CreateWebhookInput!) {
		createWebhook(input: $in) { userErrors { message } } }`, map[string]any{"in": map[string]any{
		"organizationId": "slow", "name": "fat", "eventType": "ACTIVE_ALERT", "targetUrl": receiver,
		"selection": map[string]any{"all": true}, "template": `{"a": "` + strings.Repeat("x", 60<<10) + `"}`,
	}})
	w := &world{
		apiServer: s, portal: s.key(t, delivery.PortalKey, ""), operator: s.key(t, delivery.OperatorKey, ""),
	}
	w.report(t, "slow", 0, 5)
}
