package auth

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// Limits on requests to the provider, whose responses are small.
const (
	providerTimeout   = 5 * time.Second
	providerBody      = 1 << 20
	providerHeaders   = 64 << 10
	providerRedirects = 3
)

// newProviderClient returns an HTTP client for the provider: with a timeout,
// limited bodies, and no redirects to another host. It uses the proxy of the
// environment, because the provider is often outside the network.
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
				return errors.New("it redirects to another host")
			}
			return nil
		},
	}
}

// bounded limits the size of every response body.
type bounded struct{ *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, providerBody)
	}
	return resp, err
}

// readAll returns the body of a response, which must have status 200.
func readAll(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New("it responded with " + resp.Status)
	}
	return io.ReadAll(resp.Body)
}
