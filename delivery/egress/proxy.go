package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"portalhooks/delivery/egress/http1"
	"portalhooks/delivery/failpoint"
)

// errProxy means that the proxy did not let a call pass.
var errProxy = errors.New("the proxy refused")

// A proxy opens connections through the operator's HTTP proxy, which is usually
// on a private address and is not guarded. It forwards what is plain and makes
// tunnels for what is not (RFC 9110, section 9.3.6).
type proxy struct {
	url     *url.URL
	address string
	tls     *tls.Config
}

func newProxy(u *url.URL, config *tls.Config) *proxy {
	port := u.Port()
	if port == "" {
		port = defaultPort(u.Scheme)
	}
	return &proxy{url: u, address: net.JoinHostPort(u.Hostname(), port), tls: config}
}

func (x *proxy) open(ctx context.Context, m *meter, e *endpoint) (net.Conn, error) {
	failpoint.Hit(failpoint.CallBeforeDial)
	m.enter(connecting)
	var plain net.Dialer
	way, err := plain.DialContext(ctx, "tcp", x.address)
	if err != nil {
		return nil, err
	}
	if x.url.Scheme == "https" {
		if way, err = encrypt(ctx, way, x.tls, x.url.Hostname()); err != nil {
			return nil, err
		}
	}
	if e.secure {
		if err := x.tunnel(ctx, way, e.address); err != nil {
			_ = way.Close()
			return nil, err
		}
	}
	return way, nil
}

// tunnel makes way lead to address.
func (x *proxy) tunnel(ctx context.Context, way net.Conn, address string) error {
	stop := context.AfterFunc(ctx, func() { _ = way.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := io.WriteString(way, "CONNECT "+address+" HTTP/1.1\r\nHost: "+address+"\r\n"+
		proxyAuthorization(x.url)+"\r\n")
	if err != nil {
		return err
	}
	reader := bufio.NewReader(io.LimitReader(way, http1.MaxHeaderBytes))
	//nolint:bodyclose // that would read a refusal to its end
	resp, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || reader.Buffered() > 0 {
		return errProxy
	}
	return nil
}

// proxyAuthorization is the header that a proxy's user is known by, if it wants
// to know one.
func proxyAuthorization(u *url.URL) string {
	if u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return "Proxy-Authorization: Basic " +
		base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)) + "\r\n"
}
