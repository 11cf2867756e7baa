package harness

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"portalhooks/delivery"
	"portalhooks/delivery/feed"
	"portalhooks/delivery/service"
)

// Socket opens a WebSocket with these headers.
func (s *APIServer) Socket(t *testing.T, header http.Header) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	socket, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), header)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = socket.Close() })
	if err := socket.WriteMessage(websocket.TextMessage, []byte(`{"type":"connection_init"}`)); err != nil {
		t.Fatal(err)
	}
	if err := ExpectAck(socket); err != nil {
		t.Fatal(err)
	}
	return socket
}

// SignsIn signs a person in at s and returns the cookie.
func (s *APIServer) SignsIn(t *testing.T) *http.Cookie {
	t.Helper()
	begin := s.Visit(t, http.MethodGet, "/auth/sign-in")
	if begin.Status != http.StatusFound || len(begin.cookies) != 1 {
		t.Fatalf("begin to sign in: %+v", begin)
	}
	back := s.Visit(t, http.MethodGet, begin.location)
	path, ours := strings.CutPrefix(back.location, PublicURL)
	if !ours {
		t.Fatalf("the provider: %+v", back)
	}
	end := s.Visit(t, http.MethodGet, path, begin.cookies[0])
	if end.Status != http.StatusSeeOther || len(end.cookies) != 2 {
		t.Fatalf("end of signing in: %+v", end)
	}
	return end.cookies[1]
}

// Visit requests a page of the server's with cookies.
func (s *APIServer) Visit(t *testing.T, method, page string, cookies ...*http.Cookie) visit {
	t.Helper()
	if strings.HasPrefix(page, "/") {
		page = strings.TrimSuffix(s.URL, "/graphql") + page
	}
	r, err := http.NewRequestWithContext(t.Context(), method, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", PublicURL)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	resp, err := s.Client.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return visit{resp.StatusCode, resp.Header.Get("Location"), resp.Cookies()}
}

// WantUnauthorized reads until the server has closed the socket with 4401.
func WantUnauthorized(t *testing.T, socket *websocket.Conn) {
	t.Helper()
	for {
		_, _, err := socket.ReadMessage()
		if closed, ok := errors.AsType[*websocket.CloseError](err); ok && closed.Code == 4401 {
			return
		}
		if err != nil {
			t.Fatalf("the socket ended with %v, want 4401", err)
		}
	}
}

// WhoAmI asks for the caller's name.
const WhoAmI = `{ viewer { name } }`

// Query is the body for a document and variables.
func Query(document string, variables map[string]any) string {
	text, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		panic(err) // texts and numbers always have a JSON form
	}
	return string(text)
}

// LogStart is a cursor from before the first entry of a log.
func LogStart() string { return feed.Cursor{At: time.Now()}.String() }

// A LogBuffer keeps what was logged.
type LogBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// A Pair is two servers on one PostgreSQL, with a webhook that gets all alerts
// of one organization.
type Pair struct {
	Servers [2]*APIServer
	Org     delivery.OrgID
	Admin   delivery.Caller
}

// PairOf makes the organization and the webhook. The servers may be one.
func PairOf(t *testing.T, first, second *APIServer) *Pair {
	t.Helper()
	p := &Pair{Servers: [2]*APIServer{first, second}}
	orgs, err := first.Store.RegisterOrganizations(t.Context(), []delivery.Organization{{
		ID: delivery.OrgID(delivery.NewIDs(delivery.MaxSlot).Next()), ExternalID: "pair", Name: "Pair",
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.Org = orgs[0].ID
	p.Admin = delivery.Caller{Name: "admin", Grants: map[delivery.OrgID]delivery.Role{p.Org: delivery.Admin}}
	_, err = first.Service.CreateWebhook(t.Context(), p.Admin, service.CreateWebhookInput{
		OrganizationID: "pair", Name: "All", Type: delivery.ActiveAlert, TargetURL: first.Receiver + "/in",
		Selection: service.SelectionInput{All: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// CutLinks ends the connections that listen, again and again, until ctx ends:
// most notifications get lost.
func CutLinks(ctx context.Context, t *testing.T, url string) {
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Error(err)
		return
	}
	defer db.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, err := db.ExecContext(ctx, `SELECT pg_terminate_backend(pid) FROM pg_locks l
			JOIN pg_database d ON d.oid = l.database
			WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.mode = 'ExclusiveLock'`)
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
}

// PublicURL is where the browsers of these tests think that the server is.
const PublicURL = "https://hooks.example"

// A visit is what a page answered to a browser.
type visit struct {
	Status   int
	location string
	cookies  []*http.Cookie
}

// Write implements [io.Writer].
func (b *LogBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *LogBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
