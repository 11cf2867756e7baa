package transport_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// node runs a script of test/clients and returns its output. It fails t if the
// script cannot be run.
func node(t *testing.T, input, script string, args ...string) (output string, ok bool) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out of make quick: it needs Node.js")
	}
	dir := filepath.Join("..", "..", "test", "clients")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "graphql-ws")); err != nil {
		t.Fatal("the test clients are not installed: run `make setup`")
	}
	command := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...)
	command.Dir = dir
	command.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, err := command.Output()
	if err != nil && command.ProcessState == nil {
		t.Fatalf("node is missing: run `make setup`: %v", err)
	}
	if err != nil {
		t.Logf("%s: %v\n%s", script, err, stderr.String())
	}
	return string(stdout), err == nil
}

func TestGraphQLOverHTTPAudits(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	output, ok := node(t, "", "http.mjs", url, token)
	if !ok || !strings.HasSuffix(output, "61/61\n") {
		t.Errorf("audits:\n%s", output)
	}
}

func TestWebSocketProtocol(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.InitTimeout = 2 * time.Second
	url, _ := serve(t, opts)
	output, ok := node(t, "", "websocket.mjs", url, token,
		"--stream", "subscription { forever { n } }",
		"--finite", "subscription { count(to: 3) { n } }", "--results", "3")
	if !ok || strings.Count(output, "ok ") < 35 {
		t.Errorf("checks:\n%s", output)
	}
}

func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	output, ok := node(t, "", "sse.mjs", url, token, "--results", "3",
		"--finite", "subscription($after: Cursor) { count(to: 3, after: $after) { n cursor } }",
		"--stream", "subscription($after: Cursor) { count(to: 100000, after: $after) { n cursor } }")
	if !ok || strings.Count(output, "ok ") < 11 {
		t.Errorf("checks:\n%s", output)
	}
}

func TestWatchLosesNothingWhenItsSocketIsCut(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	output, ok := node(t, "", "watch.mjs", url, token, "c10", "100", "7")
	if !ok {
		t.Fatal("the subscriber gave up")
	}
	want := 11
	for lines := bufio.NewScanner(strings.NewReader(output)); lines.Scan(); want++ {
		var entry struct {
			Type   string `json:"__typename"`
			Cursor string `json:"cursor"`
		}
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Type != "DeliveryLogEntry" || entry.Cursor != fmt.Sprintf("c%d", want) {
			t.Fatalf("got %s %s, want the entry c%d", entry.Type, entry.Cursor, want)
		}
	}
	if want != 111 {
		t.Errorf("the last entry was c%d, want c110", want-1)
	}
}

func TestVerifyTellsGoodSignaturesFromBad(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	const body = `{"name":"Müller"}`
	now := time.Now()
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := hook.Sign("msg_1", now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	var input strings.Builder
	for _, sent := range []string{body, strings.ToUpper(body)} {
		line, err := json.Marshal(map[string]any{"secret": secret, "body": sent, "headers": map[string]string{
			"Webhook-Id": "msg_1", "Webhook-Timestamp": fmt.Sprint(now.Unix()), "Webhook-Signature": signature,
		}})
		if err != nil {
			t.Fatal(err)
		}
		input.Write(append(line, '\n'))
	}
	output, _ := node(t, input.String(), "verify.mjs")
	if want := "ok\nfailed: No matching signature found\n"; output != want {
		t.Errorf("verdicts %q, want %q", output, want)
	}
}
