package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"portalhooks/auth"
	"portalhooks/delivery"
	"portalhooks/delivery/seal"
)

// DatabaseFlag is the flag of every command that opens the database.
type DatabaseFlag struct {
	Database string `help:"Database: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME." default:"sqlite:data/portalhooks.db"`
}

// Settings are the settings of the server. Package cli reads them from flags, the
// environment and the settings file.
type Settings struct {
	DatabaseFlag
	OIDCFlags
	DatabaseDirect    string            `help:"URL of PostgreSQL itself, if --database goes through a transaction pooler. The server uses it for the one connection that must not be pooled." placeholder:"URL"`
	Listen            string            `help:"Address to listen on. Any address but loopback means production; so do --public-url with another host, --trusted-proxies, --tls-cert, --encryption-key-file and PostgreSQL." default:"127.0.0.1:8080"`
	Production        bool              `help:"Turn development mode off on loopback too."`
	Development       bool              `help:"Use development mode also with PostgreSQL or an encryption key file, which otherwise mean production."`
	PublicURL         *url.URL          `name:"public-url" help:"URL at which browsers reach the server, such as https://hooks.example.com. The identity provider redirects to it after sign-in." placeholder:"URL"`
	TLSCert           string            `name:"tls-cert" help:"PEM file with the server's certificate and its chain. Reloaded when it changes." placeholder:"FILE"`
	TLSKey            string            `name:"tls-key" help:"PEM file with the private key of the certificate." placeholder:"FILE"`
	TrustedProxies    []netip.Prefix    `help:"Networks of the reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted." placeholder:"CIDR"`
	AllowedOrigins    []string          `help:"Origins of web pages whose scripts may call the API with an API key or a token, besides the server's own." placeholder:"ORIGIN"`
	MetricsListen     string            `help:"Address for /metrics and the profiles under /debug/pprof/. By default, /metrics is on the main listener in development mode, and off in production." placeholder:"ADDR"`
	OTLPEndpoint      *url.URL          `name:"otlp-endpoint" help:"Endpoint for traces (OTLP over HTTP), such as http://127.0.0.1:4318. Default: OTEL_EXPORTER_OTLP_ENDPOINT, otherwise no traces." placeholder:"URL"`
	EncryptionKeyFile string            `help:"File with the encryption keys for secrets, one ID:BASE64 per line. The first key seals. Development mode creates the file." placeholder:"FILE"`
	EgressAllow       []netip.Prefix    `help:"Networks that webhooks may call although they are not public." placeholder:"CIDR"`
	EgressAllowHTTP   bool              `name:"egress-allow-http" help:"Allow http:// targets."`
	EgressPorts       []uint16          `help:"Ports that webhooks may call." default:"80,443,8080,8443"`
	EgressProxy       *url.URL          `help:"HTTP proxy for all calls to receivers. It must filter the addresses itself." placeholder:"URL"`
	ViewURL           map[string]string `name:"view-url" help:"URL of an item's page in Portal, by kind, with {id} for the item's id, such as ALERT=https://portal.example/alerts/{id}." placeholder:"KIND=URL" mapsep:";"`
	IngestRate        float64           `help:"Events per second that one credential of Portal may submit to this server, on average; 0 for no limit. The keys of one organization share a limit, which counts events and the deliveries that they cause." default:"1000"`
	IngestBurst       int               `help:"Events, or events and deliveries, that may be submitted at once." default:"20000"`
	AddressRate       float64           `help:"Requests per second from one address without valid credentials, on average; 0 for no limit." default:"20"`
	APIRate           float64           `name:"api-rate" help:"Operations per second of any other caller, on average; 0 for no limit. Each 200 points of complexity count as one more. The callers of one organization share a limit." default:"50"`
	Workers           int               `help:"Attempts in flight at once." default:"128"`
	WebhookWorkers    int               `help:"Attempts in flight at once for one webhook, unless its policy sets another number." default:"8"`
	Retention         time.Duration     `help:"How long to keep events and finished deliveries." default:"720h"`
	AuditRetention    time.Duration     `help:"How long to keep the audit log, at least 720h." default:"8760h"`
	MaxKeyLife        time.Duration     `help:"Maximum lifetime of API keys that people create through the API." default:"2160h"`
	LogFormat         string            `help:"Log format: text or json." enum:"text,json" default:"text"`
	LogLevel          string            `help:"Minimum log level: debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`

	Timeouts Timeouts `kong:"-"`
}

// check refuses settings that can't work, before anything is opened.
func (c *Settings) check(ctx context.Context) error {
	if err := c.checkAddresses(ctx); err != nil {
		return err
	}
	if err := c.checkMode(); err != nil {
		return err
	}
	if c.Workers < 1 || c.Workers > 10_000 || c.WebhookWorkers < 1 || c.WebhookWorkers > c.Workers {
		return errors.New("--workers must be 1 to 10000, and --webhook-workers 1 to the number of --workers")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key go together: " +
			"set both, or neither behind a proxy that terminates TLS")
	}
	if u := c.EgressProxy; u != nil && (u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "") {
		return fmt.Errorf("--egress-proxy must be the URL of an HTTP proxy such as http://proxy.example:3128, "+
			"not %q", u.Redacted())
	}
	if c.IngestRate < 0 || c.APIRate < 0 || c.AddressRate < 0 || c.IngestBurst < 1 {
		return errors.New(
			"--ingest-rate, --api-rate and --address-rate must not be negative, and --ingest-burst must be at least 1")
	}
	if c.Retention < time.Hour {
		return errors.New("--retention must be at least 1h")
	}
	if c.AuditRetention < delivery.MinAuditRetention {
		return fmt.Errorf("--audit-retention must be at least %s", delivery.MinAuditRetention)
	}
	if c.MaxKeyLife < time.Hour || c.MaxKeyLife > delivery.MaxKeyLife {
		return errors.New("--max-key-life must be 1h to 43800h (5 years)")
	}
	if err := checkOrigins(c.AllowedOrigins); err != nil {
		return err
	}
	for kind, pattern := range c.ViewURL {
		u, err := url.Parse(pattern)
		if err != nil || u.Host == "" || !strings.Contains(pattern, "{id}") {
			return fmt.Errorf("--view-url %s=%s: the URL must be absolute and contain {id}", kind, pattern)
		}
		switch delivery.ItemKind(kind) {
		case delivery.AlertItem, delivery.MicroserviceItem, delivery.ObjectItem, delivery.OperationItem:
		default:
			return fmt.Errorf("--view-url %s: the kinds are ALERT, MICROSERVICE, OBJECT and OPERATION", kind)
		}
	}
	if !c.development() && c.EncryptionKeyFile == "" {
		return errors.New(c.whyProduction() + "production needs --encryption-key-file: create one with " +
			"\"(umask 077; (printf 'k1:'; openssl rand -base64 32) > portalhooks.key)\" " +
			"and keep a copy of it in a safe place")
	}
	if c.EncryptionKeyFile != "" && !c.development() {
		if _, err := os.Stat(c.EncryptionKeyFile); err != nil {
			return fmt.Errorf("--encryption-key-file: %w", err)
		}
	}
	if err := checkEndpoint(c.OTLPEndpoint); err != nil {
		return err
	}
	return c.CheckProvider(c.PublicURL)
}

// checkAddresses refuses addresses that no server can listen on.
func (c *Settings) checkAddresses(ctx context.Context) error {
	if err := checkAddress(ctx, "--listen", c.Listen, ":8080"); err != nil {
		return err
	}
	if c.MetricsListen == "" {
		return nil
	}
	return checkAddress(ctx, "--metrics-listen", c.MetricsListen, ":9090")
}

// checkOrigins refuses what is not the origin of a web page.
func checkOrigins(origins []string) error {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
			strings.Contains(u.Host, "*") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("--allowed-origins must list origins such as https://admin.example.com, not %q", origin)
		}
	}
	return nil
}

// origin returns the Origin header of the server's own pages, "" if the settings do
// not say where browsers reach it.
func (c *Settings) origin() string {
	if c.PublicURL == nil {
		return ""
	}
	return auth.OriginOf(strings.ToLower(c.PublicURL.Scheme + "://" + c.PublicURL.Host))
}

// isLoopback reports whether addr can be reached from this machine only.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// ParseKeyring parses a file of encryption keys, one ID:BASE64 per line. The first
// key seals.
func ParseKeyring(path string, content []byte) (*seal.Keyring, error) {
	keys, err := seal.ParseKeyFile(content)
	if err != nil {
		return nil, fmt.Errorf("read the encryption keys in %s: %w", path, err)
	}
	return seal.NewKeyring(keys...)
}
