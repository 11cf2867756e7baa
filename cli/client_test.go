package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
