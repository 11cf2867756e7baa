package main

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

	"portalhooks/delivery"
	"portalhooks/delivery/seal"
	"portalhooks/ent"
	"portalhooks/ent/enttest"
)

// apiDatabases are where the API is tested; each function returns the URL of an
// empty database.
var apiDatabases = map[string]func(testing.TB) string{
	"SQLite":     func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "portalhooks.db") },
	"PostgreSQL": enttest.Postgres,
}

// onEveryDatabase runs test against a server over each kind of database.
func onEveryDatabase(t *testing.T, test func(t *testing.T, s *apiServer)) {
	t.Helper()
	for name, database := range apiDatabases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, startAPI(t, database(t)))
		})
	}
}

// An apiServer is the whole server in production mode, in this process, and a
// receiver that takes every call.
type apiServer struct {
	*app
	url      string // of the GraphQL endpoint
	receiver string
	client   *http.Client
	stop     func() // ends it before its test does, once
}

// startAPI starts a server that stops, with everything it has begun, when t
// ends.
func startAPI(t *testing.T, database string) *apiServer {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(receiver.Close)
	settings := apiSettings(t, database, receiver.URL)
	makeFirstKey(t, settings)
	s := startApp(t, settings)
	s.receiver = receiver.URL
	return s
}

// makeFirstKey makes a first API key: without one, nobody could call.
func makeFirstKey(t *testing.T, settings *serveCmd) {
	t.Helper()
	first := &keyCreateCmd{databaseFlag: settings.databaseFlag, Role: "operator", Name: "first"}
	err := withStore(t.Context(), settings.Database, func(store *ent.Store) error {
		_, err := first.create(t.Context(), store)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// startApp starts a server with these settings, which may be those of another.
func startApp(t *testing.T, settings *serveCmd) *apiServer {
	t.Helper()
	return startLogging(t, settings,
		slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
}

// startLogging does the same and says where to log.
func startLogging(t *testing.T, settings *serveCmd, log *slog.Logger) *apiServer {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", settings.Listen)
	if err != nil {
		t.Fatal(err)
	}
	a, err := newApp(t.Context(), settings, log, listener.Addr().String())
	if err != nil {
		t.Fatal(errors.Join(err, listener.Close()))
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.run(ctx, listener) }()
	s := &apiServer{app: a, url: "http://" + listener.Addr().String() + "/graphql", client: client}
	s.stop = sync.OnceFunc(func() {
		client.CloseIdleConnections()
		stop()
		if err := errors.Join(<-ended, a.store.Close()); err != nil {
			t.Errorf("stop the server: %v", err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

func apiSettings(t *testing.T, database, receiver string) *serveCmd {
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
	return &serveCmd{
		databaseFlag: databaseFlag{Database: database}, Listen: "127.0.0.1:0",
		Production: true, EncryptionKeyFile: keys,
		EgressAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, EgressAllowHTTP: true,
		EgressPorts: []uint16{443, uint16(port)}, Workers: 8, WebhookWorkers: 4, Retention: 720 * time.Hour,
	}
}

// key makes an API key, for an organization that may not be known yet.
func (s *apiServer) key(t *testing.T, role delivery.KeyRole, organization string) string {
	t.Helper()
	c := &keyCreateCmd{
		Role: string(role), Name: string(role) + " " + rand.Text(), Organization: organization,
		OrganizationName: organization,
	}
	text, err := c.create(t.Context(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// An answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   []byte
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions struct{ Code, Field, RequestID string }
	}
}

// code returns the code of the first error, "" without one.
func (a *answer) code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	return a.Errors[0].Extensions.Code
}

// at returns what a path such as nodes.0.id below data leads to, as text.
func (a *answer) at(t *testing.T, path string) string {
	t.Helper()
	value := a.find(path)
	if value == nil {
		t.Fatalf("no %s in %s", path, a.body)
	}
	return fmt.Sprint(value)
}

// find returns what a path below data leads to, nil where it leads nowhere.
func (a *answer) find(path string) any {
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

// list returns the list that a path below data leads to.
func (a *answer) list(t *testing.T, path string) []any {
	t.Helper()
	list, ok := a.find(path).([]any)
	if !ok {
		t.Fatalf("no list %s in %s", path, a.body)
	}
	return list
}

// ask sends an operation with an API key, "" for none.
func (s *apiServer) ask(t *testing.T, key, query string, variables map[string]any) *answer {
	t.Helper()
	return s.exchange(t, s.request(t, key, query, variables))
}

// must is ask for an operation that has to work.
func (s *apiServer) must(t *testing.T, key, query string, variables map[string]any) *answer {
	t.Helper()
	a := s.ask(t, key, query, variables)
	if len(a.Errors) > 0 || bytes.Contains(a.body, []byte(`"userErrors":[{`)) {
		t.Fatalf("%s: %s", query, a.body)
	}
	return a
}

func (s *apiServer) request(t *testing.T, key, query string, variables map[string]any) *http.Request {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	return req
}

func (s *apiServer) exchange(t *testing.T, req *http.Request) *answer {
	t.Helper()
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(a.body, a); err != nil {
		t.Fatalf("%d, not JSON: %v: %s", a.status, err, a.body)
	}
	return a
}
