package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"portalhooks/delivery"
	"portalhooks/delivery/seal"
	"portalhooks/delivery/service"
)

// brokenStore fails in every method, with an error that must stay private.
type brokenStore struct{ delivery.Store }

func (brokenStore) Wake() <-chan struct{} { return nil }

func (brokenStore) OrganizationsByID(context.Context, []delivery.OrgID) ([]delivery.Organization, error) {
	return nil, errPrivate
}

func (brokenStore) OrganizationByExternalID(context.Context, string) (delivery.Organization, error) {
	return delivery.Organization{}, errPrivate
}

func (brokenStore) WebhooksByID(
	context.Context, delivery.OrgID, []delivery.WebhookID,
) ([]delivery.Webhook, error) {
	return nil, errPrivate
}

func (brokenStore) Tail(context.Context) (map[int]delivery.LogID, error) { return nil, errPrivate }

// fixedCaller is an Authenticator that always returns the same caller.
type fixedCaller struct {
	caller delivery.Caller
	err    error
}

func (f fixedCaller) Request(r *http.Request) (delivery.Caller, time.Time, error) {
	if r.Header.Get("Upgrade") != "" { // authenticated by connection_init
		return delivery.Caller{}, time.Time{}, nil
	}
	return f.caller, time.Time{}, f.err
}

func (f fixedCaller) Watch(context.Context, *http.Request, delivery.Caller) <-chan struct{} {
	return nil
}

// safeBuffer is a log that is safe for concurrent use.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// serveBroken serves the API over a store that fails.
func serveBroken(t *testing.T, who fixedCaller) (url string, log *safeBuffer) {
	t.Helper()
	key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := seal.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	log = &safeBuffer{}
	logger, registry := slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry()
	service := service.New(brokenStore{}, service.Options{
		Keyring: keyring, Registry: registry, Logger: logger,
	})
	server := httptest.NewServer(New(service, Options{Authenticate: who, Registry: registry, Logger: logger}))
	t.Cleanup(server.Close)
	return server.URL, log
}

func ask(t *testing.T, url, query, accept string) (status int, body string) {
	t.Helper()
	text, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer.String()
}

// hidden fails t unless a response is INTERNAL without the private error, and the
// log has the error.
func hidden(t *testing.T, answer string, log *safeBuffer) {
	t.Helper()
	if strings.Contains(answer, "hunter2") || strings.Contains(answer, "10.1.2.3") {
		t.Errorf("the response discloses the error: %s", answer)
	}
	if !strings.Contains(answer, `"INTERNAL"`) || !strings.Contains(answer, `"requestId"`) {
		t.Errorf("the response is %s, want INTERNAL and a request id", answer)
	}
	if !strings.Contains(log.String(), "hunter2") {
		t.Errorf("the log does not have the error: %s", log)
	}
}

func TestFaultsOfTheStoreStayInside(t *testing.T) {
	t.Parallel()
	operator := delivery.Caller{
		Name: "op", Operator: true, Grants: map[delivery.OrgID]delivery.Role{7: delivery.Admin},
	}
	for name, query := range map[string]string{
		"query":        `{ organization(id: "x") { id } }`,
		"non-null":     `{ viewer { grants { organization { id } } } }`,
		"node":         `{ node(id: "` + delivery.WebhookID(7).String() + `") { id } }`,
		"nodes":        `{ nodes(ids: ["` + delivery.WebhookID(7).String() + `"]) { id } }`,
		"mutation":     `mutation { deleteWebhook(input: {id: "` + delivery.WebhookID(7).String() + `"}) { deletedId } }`,
		"userErrors":   `mutation { rotateWebhookSecret(input: {id: "` + delivery.WebhookID(7).String() + `"}) { userErrors { message } } }`,
		"subscription": `subscription { deliveryLog { __typename } }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, log := serveBroken(t, fixedCaller{caller: operator})
			accept := "application/json"
			if name == "subscription" {
				accept = "text/event-stream"
			}
			status, answer := ask(t, url, query, accept)
			if status != http.StatusOK {
				t.Errorf("status %d, want 200: the request itself is fine", status)
			}
			hidden(t, answer, log)
		})
	}
}

func TestFaultsOfAuthenticationStayInside(t *testing.T) {
	t.Parallel()
	url, log := serveBroken(t, fixedCaller{err: errPrivate})
	for _, accept := range []string{
		"application/json", "application/graphql-response+json", "text/event-stream",
	} {
		status, answer := ask(t, url, `{ viewer { name } }`, accept)
		if status != http.StatusInternalServerError {
			t.Errorf("%s: status %d, want 500: the caller is unknown", accept, status)
		}
		hidden(t, answer, log)
	}
}

func TestFaultsOfConnectionInitStayInside(t *testing.T) {
	t.Parallel()
	url, log := serveBroken(t, fixedCaller{err: errPrivate})
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	conn, resp, err := dialer.DialContext(t.Context(), strings.Replace(url, "http", "ws", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	defer resp.Body.Close()
	init := map[string]any{"type": "connection_init", "payload": map[string]string{"Authorization": "Bearer x"}}
	if err := conn.WriteJSON(init); err != nil {
		t.Fatal(err)
	}
	_, message, err := conn.ReadMessage()
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %s, %v; want the connection closed without saying why", message, err)
	}
	if !strings.Contains(log.String(), "hunter2") {
		t.Errorf("the log does not have the error: %s", log)
	}
}
