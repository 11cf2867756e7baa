package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, p Page, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(func(*http.Request) Page { return p }).
		ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

func TestPageShowsModeAndCaller(t *testing.T) {
	for name, tt := range map[string]struct {
		page    Page
		want    []string
		without string
	}{
		"in production": {Page{Version: "v1"}, []string{"v1", "/graphql", "You are not signed in"}, "/dev/receiver"},
		"in development": {
			Page{Version: "v1", Development: true, Caller: "developer"},
			[]string{"signed in as <strong>developer", "/dev/receiver/requests", "/metrics"},
			"not signed in",
		},
		"with an identity provider": {
			Page{SignIn: true}, []string{"not signed in", `<a href="/auth/sign-in">Sign in</a>`}, "sign-out",
		},
		"signed in": {
			Page{SignIn: true, Caller: "ada"},
			[]string{"signed in as <strong>ada", `<form method="post" action="/auth/sign-out">`},
			"/auth/sign-in",
		},
		"with a hostile name": {Page{Caller: "<script>"}, []string{"&lt;script&gt;"}, "<script>"},
	} {
		w := get(t, tt.page, "/")
		for _, want := range tt.want {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: the page does not contain %q", name, want)
			}
		}
		if strings.Contains(w.Body.String(), tt.without) {
			t.Errorf("%s: the page contains %q", name, tt.without)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control = %q", name, got)
		}
		if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "form-action 'self'") {
			t.Errorf("%s: Content-Security-Policy = %q", name, got)
		}
	}
}

func TestStaticFiles(t *testing.T) {
	for path, want := range map[string]struct {
		status int
		kind   string
	}{
		"/index.css":  {http.StatusOK, "text/css; charset=utf-8"},
		"/missing.js": {http.StatusNotFound, "text/plain; charset=utf-8"},
		"/dist/":      {http.StatusNotFound, "text/plain; charset=utf-8"},
	} {
		w := get(t, Page{}, path)
		if w.Code != want.status || w.Header().Get("Content-Type") != want.kind {
			t.Errorf("%s: %d %s, want %v", path, w.Code, w.Header().Get("Content-Type"), want)
		}
	}
}
