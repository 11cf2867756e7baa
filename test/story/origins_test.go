package story

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"portalhooks/test/harness"
)

// A script on a page of a listed origin calls the API and reads its answers,
// also refusals; one on another origin reads nothing.
func TestPagesOfListedOriginsMayCall(t *testing.T) {
	t.Parallel()
	page := func() string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	listed, other := page(), page()
	script, err := filepath.Abs(filepath.Join(harness.Root, "test", "clients", "origins.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	r := harness.PrepareRig(t, "", t.TempDir())
	r.Start(t, "PORTALHOOKS_ALLOWED_ORIGINS="+listed)
	read := func(origin string) (got struct{ Query, RequestID, Refused, Schema string }) {
		t.Helper()
		p := r.Begin(t, regexp.MustCompile(""), "node", script, browserPath(t), origin, r.Server.URL,
			r.Server.Operator)
		if err := p.Wait(); err != nil {
			t.Fatal(err)
		}
		text, _ := p.Out.Read()
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return got
	}
	if got := read(listed); !strings.Contains(got.Query, "local operator") || got.RequestID == "" ||
		got.Refused != "401" || strings.HasPrefix(got.Schema, "TypeError") {
		t.Errorf("the page of a listed origin read %+v", got)
	}
	const blocked = "TypeError: Failed to fetch"
	if got := read(other); got.Query != blocked || got.Refused != blocked || got.Schema != blocked {
		t.Errorf("the page of another origin read %+v, want nothing", got)
	}
	r.Stop(t)
}
