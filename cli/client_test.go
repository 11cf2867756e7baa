package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"portalhooks/app"
)

// The message names the server and where its URL comes from.
func TestUnreachableServerIsNamed(t *testing.T) {
	t.Parallel()
	const source = "(--url or PORTALHOOKS_URL says where it is)"
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	want := "can't reach the server at " + closed.URL + ": connection refused; is it running? " + source

	err := NewClient(closed.URL+"/", "phk_x").do(t.Context(), "{ viewer { name } }", nil, nil)
	if err == nil || err.Error() != want {
		t.Errorf("a command: error %v, want %q", err, want)
	}
	err = (&healthcheckCmd{URL: closed.URL + "/"}).Run(t.Context(), terminal{})
	if err == nil || err.Error() != want {
		t.Errorf("healthcheck: error %v, want %q", err, want)
	}
}

// Only a refused connection suggests that the server is not running. A password in
// the URL is not printed.
func TestUnreachableSaysWhy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cause error
		want  string
	}{
		"no such name":  {&net.DNSError{Err: "no such host", Name: "hooks.example"}, "lookup hooks.example: no such host"},
		"not trusted":   {x509.UnknownAuthorityError{}, "x509: certificate signed by unknown authority"},
		"the user left": {context.Canceled, "context canceled"},
	} {
		client := NewClient("https://ada:hidden@hooks.example", "phk_x")
		client.HTTP.Transport = failing{tt.cause}
		err := client.do(t.Context(), "{ viewer { name } }", nil, nil)
		want := "can't reach the server at https://ada:xxxxx@hooks.example: " + tt.want + " (--url or"
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
		if !errors.Is(err, tt.cause) {
			t.Errorf("%s: %v does not wrap its cause", name, err)
		}
	}
}

// failing is a transport that reaches no server.
type failing struct{ err error }

// RoundTrip implements [http.RoundTripper].
func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// A URL that no server can have is refused at once, not tried again and again.
func TestURLsThatNoServerHas(t *testing.T) {
	for url, good := range map[string]bool{
		"https://hooks.example.com": true, "http://127.0.0.1:8080/": true,
		"ftp://x": false, "hooks.example.com": false, "localhost:8080": false, "https://": false, "/graphql": false,
	} {
		_, err := serverFlags{URL: url, Key: "phk_x"}.connect(func(app.LocalCredentials) string { return "" })
		if good != (err == nil) || err != nil && !strings.Contains(err.Error(), "the URL of a server") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// What the server says of an input is told of its line, and what became of the
// others is true.
func TestIngestSaysWhichLinesWereRefused(t *testing.T) {
	const (
		accepted = `{"data": {"ingestEvents": {"userErrors": [], "results": [
			{"sourceEventId": "a", "status": "ACCEPTED"}, {"sourceEventId": "b", "status": "ACCEPTED"}]}}}`
		before = `{"errors": [{"message": "This is not a time.", "path": ["variable", "input", 1, "occurredAt"],
			"extensions": {"code": "BAD_USER_INPUT"}}]}`
		after = `{"errors": [{"message": "This is not a time.", "extensions": {"code": "BAD_USER_INPUT",
			"inputPath": ["input", 1, "occurredAt"]}}]}`
		whole = `{"errors": [{"message": "Too much.", "extensions": {"code": "LIMIT_EXCEEDED"}}]}`
	)
	for name, tt := range map[string]struct {
		answer, lines string
		want          []string
		not           string
	}{
		"a time in line 3":                 {after, "{}\n\n{}\n", []string{"line 3: ", "at occurredAt: This is not a time.", "lines 1 to 3 were refused together"}, "input"},
		"the same, in an older answer":     {before, "{}\n\n{}\n", []string{"line 3: ", "at occurredAt: This is not a time."}, "input"},
		"and line 4 is not JSON":           {after, "{}\n\n{}\n{", []string{"line 3: ", "line 4 is not JSON", "nothing from there on was sent"}, "lines before it were sent"},
		"line 3 is not JSON":               {accepted, "{}\n{}\n{", []string{"line 3 is not JSON", "the lines before it were sent"}, "refused"},
		"all lines":                        {whole, "{}\n{}\n", []string{"lines 1 to 2: ", "Too much."}, "together"},
		"the only line, by its own number": {strings.Replace(after, "1,", "0,", 1), "\n{}\n", []string{"line 2: "}, "together"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, tt.answer)
		}))
		_, err := submit(t.Context(), NewClient(server.URL, "phk_x"), strings.NewReader(tt.lines),
			func(eventLine, ingestResult) {})
		server.Close()
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), tt.not) {
				t.Errorf("%s: %q, want %q and not %q", name, err, want, tt.not)
			}
		}
	}
}
