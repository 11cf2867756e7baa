package httpserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate makes a self-signed certificate in dir.
func writeCertificate(t *testing.T, dir string, serial int64, until time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: until, DNSNames: []string{"localhost"},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		// Two writes may carry the same time.
		if err := os.Chtimes(file, time.Time{}, time.Unix(serial, 0)); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// A renewed certificate is used from then on; what can't be used changes
// nothing.
func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	year := time.Now().Add(365 * 24 * time.Hour)
	certFile, keyFile := writeCertificate(t, dir, 1, year)
	c, err := LoadCertificate(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		shown, err := c.Config().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return shown.Leaf.SerialNumber.Int64()
	}
	if changed, err := c.reload(); changed || err != nil || serial() != 1 {
		t.Errorf("the same files: changed %t, %v, serial %d", changed, err, serial())
	}
	writeCertificate(t, dir, 2, year)
	if changed, err := c.reload(); !changed || err != nil || serial() != 2 {
		t.Errorf("renewed: changed %t, %v, serial %d", changed, err, serial())
	}
	if err := os.WriteFile(certFile, []byte("half of"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.reload(); err == nil || serial() != 2 {
		t.Errorf("half written: %v, serial %d, want an error and the old one", err, serial())
	}
	writeCertificate(t, dir, 3, time.Now().Add(-time.Hour))
	if _, err := c.reload(); err == nil || !strings.Contains(err.Error(), "expired") || serial() != 2 {
		t.Errorf("expired: %v, serial %d, want it refused", err, serial())
	}
	writeCertificate(t, dir, 4, year)
	if _, err := c.reload(); err != nil || serial() != 4 {
		t.Errorf("right at last: %v, serial %d", err, serial())
	}
}

// A server does not start with a certificate that it can't read.
func TestCertificateThatIsNotThere(t *testing.T) {
	t.Parallel()
	if _, err := LoadCertificate("no-such-file", "neither", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("there is no error")
	}
}
