package app

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

// modeSettings are settings that check accepts, in development mode.
func modeSettings(change func(*Settings)) *Settings {
	c := &Settings{
		DatabaseFlag: DatabaseFlag{Database: "sqlite:data/portalhooks.db"}, Listen: "127.0.0.1:8080",
		Workers: 1, WebhookWorkers: 1, IngestBurst: 1,
		Retention: 720 * time.Hour, AuditRetention: 8760 * time.Hour, MaxKeyLife: 2160 * time.Hour,
	}
	change(c)
	return c
}

// Development mode ends where other machines could reach the server, or where
// it has data of production.
func TestWhatMeansProduction(t *testing.T) {
	t.Parallel()
	at := func(text string) *url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for name, tt := range map[string]struct {
		change func(*Settings)
		says   string // the setting that the error names; empty for development
	}{
		"no settings":              {func(*Settings) {}, ""},
		"a public URL on loopback": {func(c *Settings) { c.PublicURL = at("http://localhost:8080") }, ""},
		"--production":             {func(c *Settings) { c.Production = true }, "production needs"},
		"another address":          {func(c *Settings) { c.Listen = ":8080" }, "--listen :8080"},
		"a public URL":             {func(c *Settings) { c.PublicURL = at("https://hooks.example.com") }, "--public-url"},
		"proxies": {
			func(c *Settings) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} },
			"--trusted-proxies",
		},
		"TLS":                    {func(c *Settings) { c.TLSCert, c.TLSKey = "crt", "key" }, "--tls-cert"},
		"PostgreSQL":             {func(c *Settings) { c.Database = "postgres://db/hooks" }, "PostgreSQL"},
		"PostgreSQL, but forced": {func(c *Settings) { c.Database, c.Development = "postgres://db/hooks", true }, ""},
		"forced and reachable": {
			func(c *Settings) { c.Listen, c.Development = "0.0.0.0:8080", true }, "leave out --listen 0.0.0.0:8080",
		},
		"forced and a public URL": {
			func(c *Settings) { c.PublicURL, c.Development = at("https://hooks.example.com"), true },
			"leave out --public-url",
		},
		"both modes": {func(c *Settings) { c.Production, c.Development = true, true }, "exclude each other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := modeSettings(tt.change)
			err := c.check(t.Context())
			if tt.says == "" {
				if err != nil || !c.development() {
					t.Errorf("development is %t, err = %v, want development mode", c.development(), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("err = %v, want it to name %q", err, tt.says)
			}
		})
	}
}

// A key file is what production has.
func TestAKeyFileMeansProduction(t *testing.T) {
	t.Parallel()
	c := modeSettings(func(c *Settings) { c.EncryptionKeyFile = "portalhooks.key" })
	if c.development() {
		t.Error("the server is in development mode with --encryption-key-file")
	}
}
