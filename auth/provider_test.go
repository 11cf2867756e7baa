package auth

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"portalhooks/auth/authtest"
	"portalhooks/delivery"
)

// authenticate authenticates a valid token signed with the provider's current key.
func (d *deployment) authenticate(t *testing.T) error {
	t.Helper()
	d.nextID++
	_, _, err := d.tokens.Authenticate(t.Context(), d.Sign(d.claims(map[string]any{"jti": d.nextID})), false)
	return err
}

func TestKeysAreRotated(t *testing.T) {
	d := newDeployment(t)
	if err := d.authenticate(t); err != nil {
		t.Fatal(err)
	}
	old := d.Sign(d.claims(map[string]any{"exp": d.now.Add(time.Hour).Unix()}))
	d.now = d.now.Add(refreshInterval)
	d.Rotate(t)
	if err := d.authenticate(t); err != nil {
		t.Errorf("token of the new key: %v", err)
	}
	_, _, err := d.tokens.Authenticate(t.Context(), old, false)
	if delivery.CodeOf(err) != delivery.Unauthenticated {
		t.Errorf("token of the old key: %v", err)
	}
}

// Tokens with made-up key ids must not cause a request to the provider each.
func TestUnknownKeyIDsRefreshTheKeysOnceAMinute(t *testing.T) {
	d := newDeployment(t)
	if err := d.authenticate(t); err != nil {
		t.Fatal(err)
	}
	plain := payload(t, d.claims(nil))
	flood := func() {
		t.Helper()
		for i := range 100 {
			forged := d.Forge(d.header(map[string]any{"kid": "made up " + strconv.Itoa(i)}), plain)
			_, _, err := d.tokens.Authenticate(t.Context(), forged, false)
			if delivery.CodeOf(err) != delivery.Unauthenticated {
				t.Fatal(err)
			}
		}
	}
	for minute := range 4 {
		flood()
		if n := d.Calls("/keys"); n != 1+minute {
			t.Fatalf("after %d minutes the keys were fetched %d times, want %d", minute, n, 1+minute)
		}
		d.now = d.now.Add(refreshInterval)
	}
	if n := d.Calls("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("the metadata was fetched %d times, want once", n)
	}
}

// Concurrent first callers share one refresh, and all are authenticated.
func TestConcurrentCallersShareOneRefresh(t *testing.T) {
	d := newDeployment(t)
	var together sync.WaitGroup
	for i := range 20 {
		token := d.Sign(d.claims(map[string]any{"jti": i}))
		together.Go(func() {
			if _, _, err := d.tokens.Authenticate(t.Context(), token, false); err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	together.Wait()
	if n := d.Calls("/keys"); n != 1 {
		t.Errorf("the keys were fetched %d times, want once", n)
	}
}

func TestKeysAreRefreshedAfterTenMinutes(t *testing.T) {
	d := newDeployment(t)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {keysRefreshAfter - time.Second, 1}, {time.Second, 2}, {time.Second, 2}} {
		d.now = d.now.Add(step.after)
		if err := d.authenticate(t); err != nil {
			t.Fatal(err)
		}
		if n := d.Calls("/keys"); n != step.want {
			t.Errorf("after %s more: the keys were fetched %d times, want %d", step.after, n, step.want)
		}
	}
}

func TestKeysAreUsedForADayWhileTheProviderIsDown(t *testing.T) {
	d := newDeployment(t)
	if err := d.authenticate(t); err != nil {
		t.Fatal(err)
	}
	d.SetDown(true)
	d.now = d.now.Add(keysMaxAge - time.Second)
	if err := d.authenticate(t); err != nil {
		t.Errorf("within a day: %v", err)
	}
	d.now = d.now.Add(2 * time.Minute)
	if err := d.authenticate(t); delivery.CodeOf(err) != delivery.Unavailable {
		t.Errorf("after a day: %v, want Unavailable", err)
	}
	d.SetDown(false)
	d.now = d.now.Add(refreshInterval)
	if err := d.authenticate(t); err != nil {
		t.Errorf("after the provider has recovered: %v", err)
	}
}

func TestProviderMayBeDownAtStart(t *testing.T) {
	d := newDeployment(t)
	d.SetDown(true)
	for range 3 {
		if err := d.authenticate(t); delivery.CodeOf(err) != delivery.Unavailable {
			t.Errorf("while the provider is down: %v, want Unavailable", err)
		}
	}
	if n := d.Calls("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("the provider got %d requests within the refresh interval, want 1", n)
	}
	d.SetDown(false)
	d.now = d.now.Add(firstRefreshInterval)
	if err := d.authenticate(t); err != nil {
		t.Errorf("after the provider has recovered: %v", err)
	}
}

func TestInvalidMetadataIsRejected(t *testing.T) {
	elsewhere := authtest.New(t)
	metadata := func(document func(self string) string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			self := "http://" + r.Host
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(document(self)))
		}
	}
	document := func(issuer, auth, token, keys string) string {
		return `{"issuer":"` + issuer + `","authorization_endpoint":"` + auth + `","token_endpoint":"` + token +
			`","jwks_uri":"` + keys + `"}`
	}
	for name, handler := range map[string]http.HandlerFunc{
		"another issuer": metadata(func(string) string {
			return document(elsewhere.URL, elsewhere.URL, elsewhere.URL, elsewhere.URL+"/keys")
		}),
		"issuer with a slash": metadata(func(self string) string {
			return document(self+"/", self, self, self+"/keys")
		}),
		"keys in a file": metadata(func(self string) string { return document(self, self, self, "file:///etc/passwd") }),
		"no keys":        metadata(func(self string) string { return document(self, self, self, "") }),
		"a huge document": metadata(func(self string) string {
			return strings.Repeat(" ", providerBody) + document(self, self, self, self+"/keys")
		}),
		"a redirect to another host": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			p := NewProvider(server.URL, slog.New(slog.DiscardHandler))
			defer p.client.CloseIdleConnections()
			if meta, err := p.discovered(t.Context()); delivery.CodeOf(err) != delivery.Unavailable {
				t.Errorf("metadata = %+v, err = %v, want Unavailable", meta, err)
			}
		})
	}
	if n := elsewhere.Calls("/.well-known/openid-configuration"); n != 0 {
		t.Errorf("the redirect was followed %d times", n)
	}
}
