package harness

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"portalhooks/app"
)

// UseTLS makes the server of settings speak TLS, with a certificate for
// 127.0.0.1.
func UseTLS(t *testing.T, settings *app.Settings) {
	t.Helper()
	known := httptest.NewTLSServer(nil)
	known.Close()
	pair := known.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	settings.TLSCert, settings.TLSKey = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, block := range map[string]*pem.Block{
		settings.TLSCert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		settings.TLSKey:  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// trusting returns what a client needs to trust the certificate in a file.
func trusting(t *testing.T, file string) *tls.Config {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(content)
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// ClientTLS returns the TLS settings of s.Client, for connections by hand.
func (s *APIServer) ClientTLS(t *testing.T) *tls.Config {
	t.Helper()
	return trusting(t, s.Settings.TLSCert)
}
