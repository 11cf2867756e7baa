package harness

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"portalhooks/app"
	"portalhooks/delivery"
	"portalhooks/delivery/seal"
	"portalhooks/delivery/service"
	"portalhooks/ent"
	"portalhooks/ent/enttest"
)

// APIDatabases are where the API is tested; each function returns the URL of an
// empty database.
var APIDatabases = map[string]func(testing.TB) string{
	"SQLite":     func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "portalhooks.db") },
	"PostgreSQL": enttest.Postgres,
}

// OnEveryDatabase runs test against a server over each kind of database.
func OnEveryDatabase(t *testing.T, test func(t *testing.T, s *APIServer)) {
	t.Helper()
	for name, database := range APIDatabases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, StartAPI(t, database(t)))
		})
	}
}

// An APIServer is the whole server in production mode, within the test, and a
// receiver that takes every call.
type APIServer struct {
	*app.App
	URL      string // of the GraphQL endpoint
	Receiver string
	Client   *http.Client
	Stop     func() // ends it before its test does, once
}

// StartAPI starts a server that stops, with everything it has begun, when t
// ends.
func StartAPI(t *testing.T, database string) *APIServer {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(receiver.Close)
	settings := APISettings(t, database, receiver.URL)
	MakeFirstKey(t, settings)
	s := StartApp(t, settings)
	s.Receiver = receiver.URL
	return s
}

// MakeFirstKey makes a first API key: without one, no caller could authenticate.
func MakeFirstKey(t *testing.T, settings *app.Settings) {
	t.Helper()
	store, err := ent.Open(t.Context(), ent.Options{URL: settings.Database})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	createKey(t, store, delivery.OperatorKey, "first", "")
}

// createKey makes an API key as the terminal does, for an organization that may
// not be known yet.
func createKey(t *testing.T, store *ent.Store, role delivery.KeyRole, name, organization string) string {
	t.Helper()
	owner, err := store.Join(t.Context(), "a test", delivery.SlotTTL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Leave(t.Context(), owner); err != nil {
			t.Error(err)
		}
	}()
	ids := delivery.NewIDs(owner.Slot)
	in := service.KeyInput{Role: role, Name: name}
	if id, ok := delivery.ParseOrgID(organization); ok {
		in.Org = id
	} else if organization != "" {
		orgs, err := store.RegisterOrganizations(t.Context(), []delivery.Organization{{
			ID: delivery.OrgID(ids.Next()), ExternalID: organization, Name: organization, CreatedAt: time.Now(),
		}})
		if err != nil {
			t.Fatal(err)
		}
		in.Org = orgs[0].ID
	}
	made, err := service.NewKeys(store, ids).Create(t.Context(), delivery.AtTerminalOf("test"), in)
	if err != nil {
		t.Fatal(err)
	}
	return made.Text
}

// StartApp starts a server with these settings, which may be those of another.
func StartApp(t *testing.T, settings *app.Settings) *APIServer {
	t.Helper()
	return StartLogging(t, settings,
		slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
}

// StartLogging does the same and says where to log.
func StartLogging(t *testing.T, settings *app.Settings, log *slog.Logger) *APIServer {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", settings.Listen)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), settings, log, listener.Addr().String())
	if err != nil {
		t.Fatal(errors.Join(err, listener.Close()))
	}
	transport, scheme := &http.Transport{MaxIdleConnsPerHost: 8}, "http://"
	if settings.TLSCert != "" {
		scheme, transport.ForceAttemptHTTP2 = "https://", true
		transport.TLSClientConfig = trusting(t, settings.TLSCert)
	}
	client := &http.Client{Transport: transport}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, listener) }()
	s := &APIServer{App: a, URL: scheme + listener.Addr().String() + "/graphql", Client: client}
	s.Stop = sync.OnceFunc(func() {
		client.CloseIdleConnections()
		stop()
		if err := errors.Join(<-ended, a.Store.Close()); err != nil {
			t.Errorf("stop the server: %v", err)
		}
	})
	t.Cleanup(s.Stop)
	return s
}

// APISettings returns the settings of a server in production mode whose webhooks
// may reach receiver.
func APISettings(t *testing.T, database, receiver string) *app.Settings {
	t.Helper()
	key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte(seal.FormatKey(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(receiver)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return &app.Settings{
		DatabaseFlag: app.DatabaseFlag{Database: database}, Listen: "127.0.0.1:0",
		Production: true, EncryptionKeyFile: keys,
		EgressAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, EgressAllowHTTP: true,
		EgressPorts: []uint16{443, uint16(port)}, Workers: 8, WebhookWorkers: 4, Retention: 720 * time.Hour,
	}
}

// Key makes an API key, for an organization that may not be known yet.
func (s *APIServer) Key(t *testing.T, role delivery.KeyRole, organization string) string {
	t.Helper()
	return createKey(t, s.Store, role, string(role)+" "+rand.Text(), organization)
}

// An Answer is what the API said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Locations  []any
		Extensions struct {
			Code, RequestID string
			InputPath       []any
		}
	}
}

// Code returns the code of the first error, "" without one.
func (a *Answer) Code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	return a.Errors[0].Extensions.Code
}

// At returns what a path such as nodes.0.id below data leads to, as text.
func (a *Answer) At(t *testing.T, path string) string {
	t.Helper()
	value := a.Find(path)
	if value == nil {
		t.Fatalf("no %s in %s", path, a.Body)
	}
	return fmt.Sprint(value)
}

// Find returns what a path below data leads to, nil where it leads nowhere.
func (a *Answer) Find(path string) any {
	var value any = a.Data
	for step := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// List returns the list that a path below data leads to.
func (a *Answer) List(t *testing.T, path string) []any {
	t.Helper()
	list, ok := a.Find(path).([]any)
	if !ok {
		t.Fatalf("no list %s in %s", path, a.Body)
	}
	return list
}

// Ask sends an operation with an API key, "" for none.
func (s *APIServer) Ask(t *testing.T, key, query string, variables map[string]any) *Answer {
	t.Helper()
	return s.Exchange(t, s.Request(t, key, query, variables))
}

// Must is ask for an operation that has to work.
func (s *APIServer) Must(t *testing.T, key, query string, variables map[string]any) *Answer {
	t.Helper()
	a := s.Ask(t, key, query, variables)
	if len(a.Errors) > 0 || bytes.Contains(a.Body, []byte(`"userErrors":[{`)) {
		t.Fatalf("%s: %s", query, a.Body)
	}
	return a
}

// Request returns a GraphQL request with an API key.
func (s *APIServer) Request(t *testing.T, key, query string, variables map[string]any) *http.Request {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	return req
}

// Exchange sends a request and reads the answer.
func (s *APIServer) Exchange(t *testing.T, req *http.Request) *Answer {
	t.Helper()
	resp, err := s.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	a := &Answer{Status: resp.StatusCode, Header: resp.Header}
	if a.Body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(a.Body, a); err != nil {
		t.Fatalf("%d, not JSON: %v: %s", a.Status, err, a.Body)
	}
	return a
}
