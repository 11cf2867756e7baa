package story

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"portalhooks/test/harness"

	"github.com/rogpeppe/go-internal/testscript"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// A call is one webhook call, as the simulated receivers show it.
type call struct {
	Path      string      `json:"path"`
	Header    http.Header `json:"header"`
	Body      string      `json:"body"`
	Signature string      `json:"signature"`
	Status    int         `json:"status"`
}

// awaitCalls waits for calls of a receiver of the server. More than wanted is
// an error, too.
func awaitCalls(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts, args, 1)
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	path := ""
	if len(args) > 1 {
		path = args[1]
	}
	var page struct {
		Requests json.RawMessage `json:"requests"`
	}
	var calls []call
	what := fmt.Sprintf("%q was called %d times", path, want)
	err = harness.Eventually(s.ctx, what, func(ctx context.Context) (bool, error) {
		_, body, err := harness.Get(
			ctx, s.server.URL+"/dev/receiver/requests?limit=1000&path="+url.QueryEscape(path),
		)
		if err != nil {
			return false, err
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return false, err
		}
		calls = nil
		if err := json.Unmarshal(page.Requests, &calls); err != nil {
			return false, err
		}
		if len(calls) > want {
			return false, fmt.Errorf("%d calls, want %d", len(calls), want)
		}
		return len(calls) == want, nil
	})
	if err != nil {
		ts.Fatalf("%v\nreceived: %s\nthe server: %s", err, page.Requests, s.server.Transcript())
	}
	fmt.Fprintf(ts.Stdout(), "%s\n", page.Requests)
}

func printedCalls(ts *testscript.TestScript) []call {
	var calls []call
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &calls); err != nil {
		ts.Fatalf("there are no calls in the last output: %v", err)
	}
	return calls
}

// checkMessages compares the bodies of the calls with the messages of a file,
// as JSON.
func checkMessages(ts *testscript.TestScript, neg bool, args []string) {
	storyOf(ts, args, 1)
	var want []json.RawMessage
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &want))
	calls := printedCalls(ts)
	for _, c := range calls {
		i := slices.IndexFunc(want, func(w json.RawMessage) bool { return sameJSON([]byte(c.Body), w) })
		if i < 0 {
			ts.Fatalf("an unexpected message:\n%s\nstill expected:\n%s",
				c.Body, bytes.Join(rawBytes(want), []byte("\n")))
		}
		want = slices.Delete(want, i, i+1)
	}
	if len(want) > 0 {
		ts.Fatalf("these messages are missing:\n%s", bytes.Join(rawBytes(want), []byte("\n")))
	}
}

func rawBytes(all []json.RawMessage) [][]byte {
	texts := make([][]byte, len(all))
	for i, one := range all {
		texts[i] = one
	}
	return texts
}

// sameJSON reports whether two texts are the same JSON value. JSON inside of a
// string may be spaced differently.
func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return sameValue(x, y)
}

func sameValue(x, y any) bool {
	switch x := x.(type) {
	case map[string]any:
		y, ok := y.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for key := range x {
			if other, ok := y[key]; !ok || !sameValue(x[key], other) {
				return false
			}
		}
		return true
	case string:
		y, ok := y.(string)
		nested := strings.HasPrefix(x, "[") || strings.HasPrefix(x, "{")
		return ok && (x == y || nested && sameJSON([]byte(x), []byte(y)))
	default:
		return reflect.DeepEqual(x, y)
	}
}

// verifyCalls checks the signatures of the calls with the libraries that
// receivers use: Go's and npm's of Standard Webhooks.
func verifyCalls(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts, args, 1)
	secret, calls := args[0], printedCalls(ts)
	library, err := standardwebhooks.NewWebhook(secret)
	ts.Check(err)
	var lines bytes.Buffer
	for _, c := range calls {
		if err := library.Verify([]byte(c.Body), c.Header); (err != nil) != neg {
			ts.Fatalf("Go's standard-webhooks says: %v", err)
		}
		headers := map[string]string{}
		for name := range c.Header {
			headers[strings.ToLower(name)] = c.Header.Get(name)
		}
		ts.Check(json.NewEncoder(&lines).Encode(map[string]any{
			"headers": headers, "body": c.Body, "secret": secret,
		}))
	}
	clients := ts.Getenv("CLIENTS")
	if _, err := os.Stat(filepath.Join(clients, "node_modules")); err != nil {
		ts.Fatalf("the test clients are not installed: run `make setup`")
	}
	verdicts := runProgram(ts, s, lines.String(), "node", filepath.Join(clients, "verify.mjs"))
	if got := strings.Count(verdicts, "ok\n"); !neg && got != len(calls) || neg && got != 0 {
		ts.Fatalf("npm's standardwebhooks accepts %d of %d: %s", got, len(calls), verdicts)
	}
}
