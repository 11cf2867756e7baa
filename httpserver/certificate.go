package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// certificateCheck is how often the files of a certificate are looked at.
const certificateCheck = 30 * time.Second

// A Certificate is the server's own, kept in two files that its renewal
// replaces.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	current           atomic.Pointer[tls.Certificate]
	seen              [2]stamp
}

// A stamp tells two versions of a file apart.
type stamp struct {
	changed time.Time
	size    int64
}

// LoadCertificate reads a certificate with its chain, and its private key, from PEM
// files.
func LoadCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log}
	if _, err := c.reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Config returns how a server with the certificate speaks TLS.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current.Load(), nil
		},
	}
}

// Run reads the files again when they change, until ctx ends. What can't be
// used is logged, and the certificate stays the one it was.
func (c *Certificate) Run(ctx context.Context) error {
	ticker := time.NewTicker(certificateCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		switch changed, err := c.reload(); {
		case err != nil:
			c.log.ErrorContext(ctx, "read the renewed certificate; the old one stays in use", "err", err)
		case changed:
			c.log.InfoContext(ctx, "the certificate was renewed", "until", c.current.Load().Leaf.NotAfter)
		}
	}
}

// reload reads the files unless they are as they were.
func (c *Certificate) reload() (changed bool, err error) {
	var now [2]stamp
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return false, fmt.Errorf("read the certificate: %w", err)
		}
		now[i] = stamp{info.ModTime(), info.Size()}
	}
	if now == c.seen {
		return false, nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return false, fmt.Errorf("read the certificate: %w", err)
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		return false, errors.New("read the certificate: it has expired; renew it")
	}
	c.seen = now
	c.current.Store(&pair)
	return true, nil
}
