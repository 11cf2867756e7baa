package story

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"portalhooks/test/harness"
)

// In development mode the address of the API shows GraphiQL to a browser. It runs
// queries and subscriptions as the developer who signed in, and asks no other
// server for anything.
func TestGraphiQLRunsInABrowser(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs(filepath.Join(harness.Root, "test", "clients", "graphiql.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	r := harness.PrepareRig(t, "", t.TempDir())
	r.Start(t)
	signIn, err := r.Server.WaitFor(&r.Server.Out, regexp.MustCompile(`Sign in once:\s+(\S+)`))
	if err != nil {
		t.Fatal(err)
	}
	p := r.Begin(t, regexp.MustCompile(""), "node", script, browserPath(t), signIn[1])
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Query, Subscription string
		Origins, Problems   []string
	}
	text, _ := p.Out.Read()
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if !strings.Contains(got.Query, `"name": "developer"`) || !strings.Contains(got.Query, `"webhooks"`) {
		t.Errorf("the query shows %s, want the demo organization", got.Query)
	}
	if !strings.Contains(got.Subscription, "DeliveryLogHeartbeat") {
		t.Errorf("the subscription shows %s", got.Subscription)
	}
	if want := []string{r.Server.URL}; !slices.Equal(got.Origins, want) || len(got.Problems) > 0 {
		t.Errorf("the page asked %q and complained %q, want %q and nothing", got.Origins, got.Problems, want)
	}
	r.Stop(t)
}
