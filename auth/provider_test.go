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

// try authenticates with a good token of the provider's present key.
func (d *desk) try(t *testing.T) error {
	t.Helper()
	d.nextID++
	_, _, err := d.tokens.Authenticate(t.Context(), d.Sign(d.claims(map[string]any{"jti": d.nextID})), false)
	return err
}

func TestKeysAreRotated(t *testing.T) {
	d := newDesk(t)
	if err := d.try(t); err != nil {
		t.Fatal(err)
	}
	old := d.Sign(d.claims(map[string]any{"exp": d.now.Add(time.Hour).Unix()}))
	d.now = d.now.Add(refreshPause)
	d.Rotate(t)
	if err := d.try(t); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	_, _, err := d.tokens.Authenticate(t.Context(), old, false)
	if delivery.CodeOf(err) != delivery.Unauthenticated {
		t.Errorf("a token of the key that is gone: %v", err)
	}
}

// Whoever makes up key ids does not make us ask the provider each time.
func TestUnknownKeysAreLookedForOnceAMinute(t *testing.T) {
	d := newDesk(t)
	if err := d.try(t); err != nil {
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
		d.now = d.now.Add(refreshPause)
	}
	if n := d.Calls("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("the settings were read %d times, want once", n)
	}
}

// Those who come together at the start ask the provider once, and all get in.
func TestManyCallersAskOnce(t *testing.T) {
	d := newDesk(t)
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

func TestKeysAreFetchedAgainAfterTenMinutes(t *testing.T) {
	d := newDesk(t)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {keysFresh - time.Second, 1}, {time.Second, 2}, {time.Second, 2}} {
		d.now = d.now.Add(step.after)
		if err := d.try(t); err != nil {
			t.Fatal(err)
		}
		if n := d.Calls("/keys"); n != step.want {
			t.Errorf("after %s more: the keys were fetched %d times, want %d", step.after, n, step.want)
		}
	}
}

func TestKeysServeADayWhileTheProviderIsDown(t *testing.T) {
	d := newDesk(t)
	if err := d.try(t); err != nil {
		t.Fatal(err)
	}
	d.SetDown(true)
	d.now = d.now.Add(keysTrust - time.Second)
	if err := d.try(t); err != nil {
		t.Errorf("within a day: %v", err)
	}
	d.now = d.now.Add(2 * time.Minute)
	if err := d.try(t); delivery.CodeOf(err) != delivery.Unavailable {
		t.Errorf("after a day: %v, want Unavailable", err)
	}
	d.SetDown(false)
	d.now = d.now.Add(refreshPause)
	if err := d.try(t); err != nil {
		t.Errorf("when the provider is back: %v", err)
	}
}

func TestProviderMayBeDownAtFirst(t *testing.T) {
	d := newDesk(t)
	d.SetDown(true)
	for range 3 {
		if err := d.try(t); delivery.CodeOf(err) != delivery.Unavailable {
			t.Errorf("while the provider is down: %v, want Unavailable", err)
		}
	}
	if n := d.Calls("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("the provider was asked %d times at one time, want once", n)
	}
	d.SetDown(false)
	d.now = d.now.Add(firstPause)
	if err := d.try(t); err != nil {
		t.Errorf("when the provider is back: %v", err)
	}
}

// A provider that answers wrongly is none.
func TestProviderThatIsNotBelieved(t *testing.T) {
	elsewhere := authtest.New(t)
	settings := func(change func(self string) string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			self := "http://" + r.Host
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(change(self)))
		}
	}
	document := func(issuer, auth, token, keys string) string {
		return `{"issuer":"` + issuer + `","authorization_endpoint":"` + auth + `","token_endpoint":"` + token +
			`","jwks_uri":"` + keys + `"}`
	}
	for name, handler := range map[string]http.HandlerFunc{
		"another issuer": settings(func(string) string {
			return document(elsewhere.URL, elsewhere.URL, elsewhere.URL, elsewhere.URL+"/keys")
		}),
		"issuer and a slash": settings(func(self string) string {
			return document(self+"/", self, self, self+"/keys")
		}),
		"keys in a file": settings(func(self string) string { return document(self, self, self, "file:///etc/passwd") }),
		"no keys":        settings(func(self string) string { return document(self, self, self, "") }),
		"an endless answer": settings(func(self string) string {
			return strings.Repeat(" ", providerBody) + document(self, self, self, self+"/keys")
		}),
		"a redirect elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			p := NewProvider(server.URL, slog.New(slog.DiscardHandler))
			defer p.client.CloseIdleConnections()
			if about, err := p.metadata(t.Context()); delivery.CodeOf(err) != delivery.Unavailable {
				t.Errorf("metadata = %+v, err = %v, want Unavailable", about, err)
			}
		})
	}
	if n := elsewhere.Calls("/.well-known/openid-configuration"); n != 0 {
		t.Errorf("the redirect was followed %d times", n)
	}
}
