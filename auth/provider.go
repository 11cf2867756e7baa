package auth

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"portalhooks/delivery"
)

// The cache of a provider's keys. While the provider is unreachable, its tokens
// are accepted until the keys are keysMaxAge old.
const (
	keysRefreshAfter     = 10 * time.Minute
	keysMaxAge           = 24 * time.Hour
	refreshInterval      = time.Minute     // minimum between two refreshes, whatever tokens arrive
	firstRefreshInterval = 5 * time.Second // the same until the first refresh succeeds
)

// A Provider is an OpenID Connect identity provider. Its metadata and keys are
// fetched on first use, so that a server starts, and accepts API keys, while the
// provider is unreachable.
type Provider struct {
	issuer string
	client *http.Client
	log    *slog.Logger
	now    func() time.Time
	turn   chan struct{} // semaphore of one: a single refresh runs at a time

	mu       sync.Mutex
	tried    time.Time // start of the last refresh
	metadata *metadata // nil until discovered
	keys     []jose.JSONWebKey
	fetched  time.Time // when keys were fetched
}

// metadata is the part of a provider's discovery document that is used.
type metadata struct {
	endpoint oauth2.Endpoint
	keysURL  string
	logout   string // URL of the provider's sign-out page; may be empty
}

// NewProvider returns the provider with this issuer URL.
func NewProvider(issuer string, log *slog.Logger) *Provider {
	return &Provider{
		issuer: issuer, client: newProviderClient(), log: log, now: time.Now,
		turn: make(chan struct{}, 1),
	}
}

var errProviderUnreachable = delivery.Errorf(delivery.Unavailable, "",
	"The identity provider can't be reached. Try again in a moment.")

// discovered returns the provider's metadata, or errProviderUnreachable.
func (p *Provider) discovered(ctx context.Context) (*metadata, error) {
	for range 2 {
		p.mu.Lock()
		meta := p.metadata
		p.mu.Unlock()
		if meta != nil {
			return meta, nil
		}
		if err := p.refresh(ctx, false); err != nil {
			return nil, err
		}
	}
	return nil, errProviderUnreachable
}

// verificationKeys returns the keys that may have signed a token whose header has
// kid and alg: none if the provider publishes no such key. It returns
// errProviderUnreachable if the keys are missing or too old.
func (p *Provider) verificationKeys(ctx context.Context, kid, alg string) ([]crypto.PublicKey, error) {
	found, age := p.cached(kid, alg)
	if len(found) == 0 || age >= keysRefreshAfter {
		// One caller refreshes; the others continue with the cached keys.
		if err := p.refresh(ctx, len(found) > 0 && age < keysMaxAge); err != nil {
			return nil, err
		}
		found, age = p.cached(kid, alg)
	}
	if age >= keysMaxAge {
		return nil, errProviderUnreachable
	}
	return found, nil
}

// cached returns the cached keys for a token and their age.
func (p *Provider) cached(kid, alg string) (found []crypto.PublicKey, age time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fetched.IsZero() {
		return nil, keysMaxAge
	}
	for _, k := range p.keys {
		if (kid == "" || k.KeyID == kid) && (k.Algorithm == "" || k.Algorithm == alg) && verifies(k, alg) {
			found = append(found, k.Key)
		}
	}
	return found, p.now().Sub(p.fetched)
}

// refresh fetches the provider's metadata and keys unless that was tried less
// than a refresh interval ago. If another refresh is running, it waits for that
// one, or returns at once if noWait is set.
func (p *Provider) refresh(ctx context.Context, noWait bool) error {
	select {
	case p.turn <- struct{}{}:
	default:
		if noWait {
			return nil
		}
		select {
		case p.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-p.turn }()
	meta, due := p.startRefresh()
	if !due {
		return nil
	}
	// A canceled caller must not abort the refresh: the next one is a minute away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*providerTimeout)
	defer cancel()
	if err := p.fetch(ctx, meta); err != nil {
		// Callers that need the result report errProviderUnreachable.
		p.log.WarnContext(ctx, "ask the identity provider", "err", err)
	}
	return nil
}

// fetch fetches the provider's keys, and its metadata if meta is nil.
func (p *Provider) fetch(ctx context.Context, meta *metadata) error {
	if meta == nil {
		var err error
		if meta, err = p.discover(ctx); err != nil {
			return fmt.Errorf("discover its endpoints: %w", err)
		}
		p.mu.Lock()
		p.metadata = meta
		p.mu.Unlock()
	}
	keys, err := p.fetchKeys(ctx, meta.keysURL)
	if err != nil {
		return fmt.Errorf("fetch its keys: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys, p.fetched = keys, p.now()
	return nil
}

// startRefresh reports whether a refresh is due and, if so, records its start.
func (p *Provider) startRefresh() (meta *metadata, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pause := refreshInterval
	if p.fetched.IsZero() {
		pause = firstRefreshInterval
	}
	now := p.now()
	if !p.tried.IsZero() && now.Sub(p.tried) < pause {
		return nil, false
	}
	p.tried = now
	return p.metadata, true
}

// discover fetches the provider's metadata. The issuer in it must equal the
// configured one exactly, or tokens of another issuer would be accepted.
func (p *Provider) discover(ctx context.Context) (*metadata, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.issuer)
	if err != nil {
		return nil, err
	}
	var document struct {
		Keys    string   `json:"jwks_uri"`
		Logout  string   `json:"end_session_endpoint"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&document); err != nil {
		return nil, err
	}
	meta := &metadata{endpoint: provider.Endpoint(), keysURL: document.Keys, logout: document.Logout}
	meta.endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if len(document.Methods) > 0 && !slices.Contains(document.Methods, "client_secret_basic") {
		meta.endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	for _, endpoint := range []string{meta.endpoint.AuthURL, meta.endpoint.TokenURL, meta.keysURL} {
		if !p.trusts(endpoint) {
			return nil, fmt.Errorf("its endpoint %q does not use https", endpoint)
		}
	}
	if !p.trusts(meta.logout) {
		meta.logout = ""
	}
	return meta, nil
}

// trusts reports whether the URL uses https, or http like the issuer.
func (p *Provider) trusts(address string) bool {
	ours, err := url.Parse(p.issuer)
	if err != nil {
		return false
	}
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == ours.Scheme && u.Scheme == "http")
}
