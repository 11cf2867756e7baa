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

// errProxy means that the proxy refused a tunnel.
var errProxy = errors.New("the proxy refused")

// A proxy opens connections through the operator's HTTP proxy, whose address is
// usually private and not checked by the guard. The proxy forwards http requests
// and makes tunnels for https (RFC 9110, section 9.3.6).
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
	conn, err := plain.DialContext(ctx, "tcp", x.address)
	if err != nil {
		return nil, err
	}
	if x.url.Scheme == "https" {
		if conn, err = encrypt(ctx, conn, x.tls, x.url.Hostname()); err != nil {
			return nil, err
		}
	}
	if e.secure {
		if err := x.tunnel(ctx, conn, e.address); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// tunnel asks the proxy to connect conn to address.
func (x *proxy) tunnel(ctx context.Context, conn net.Conn, address string) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := io.WriteString(conn, "CONNECT "+address+" HTTP/1.1\r\nHost: "+address+"\r\n"+
		proxyAuthorization(x.url)+"\r\n")
	if err != nil {
		return err
	}
	reader := bufio.NewReader(io.LimitReader(conn, http1.MaxHeaderBytes))
	//nolint:bodyclose // closing reads the whole body of a refusal
	resp, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || reader.Buffered() > 0 {
		return errProxy
	}
	return nil
}

// proxyAuthorization returns the header with the user and password of a proxy's
// URL, or nothing if it has none.
func proxyAuthorization(u *url.URL) string {
	if u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return "Proxy-Authorization: Basic " +
		base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)) + "\r\n"
}
