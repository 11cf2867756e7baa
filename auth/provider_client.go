package auth

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// Bounds of what the provider is asked. Its answers are small.
const (
	providerTimeout   = 5 * time.Second
	providerBody      = 1 << 20
	providerHeaders   = 64 << 10
	providerRedirects = 3
)

// newProviderClient returns a client for calls to the provider: with a deadline,
// bounded bodies, and no redirects to another host. It goes through the proxy
// that the environment names, if any: the provider is often outside.
func newProviderClient() *http.Client {
	return &http.Client{
		Transport: bounded{&http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    providerTimeout,
			MaxResponseHeaderBytes: providerHeaders,
			MaxIdleConns:           2,
			IdleConnTimeout:        time.Minute,
		}},
		Timeout: providerTimeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			first := via[0].URL
			if len(via) > providerRedirects || r.URL.Host != first.Host || r.URL.Scheme != first.Scheme {
				return errors.New("it redirects to somewhere else")
			}
			return nil
		},
	}
}

// bounded gives every answer's body an end.
type bounded struct{ *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, providerBody)
	}
	return resp, err
}

// readAll reads an answer with the status 200.
func readAll(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New("it answers " + resp.Status)
	}
	return io.ReadAll(resp.Body)
}
