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

// How a provider's keys are kept. While it is away, tokens that it has signed
// are accepted for keysTrust more.
const (
	keysFresh    = 10 * time.Minute
	keysTrust    = 24 * time.Hour
	refreshPause = time.Minute     // between two looks at the keys, whatever tokens come
	firstPause   = 5 * time.Second // while nothing is known yet
)

// A Provider is an OpenID Connect identity provider. It is asked for its
// settings and keys when they are first needed, so that a server starts, and
// serves those with API keys, while the provider is away.
type Provider struct {
	issuer string
	client *http.Client
	log    *slog.Logger
	now    func() time.Time
	turn   chan struct{} // whoever asks the provider holds its only place

	mu      sync.Mutex
	tried   time.Time // when the provider was last asked
	about   *metadata // nil until it has answered
	keys    []jose.JSONWebKey
	fetched time.Time // when keys were
}

// metadata is what a provider says of itself.
type metadata struct {
	endpoint oauth2.Endpoint
	keysURL  string
	logout   string // where a browser signs out of the provider; may be empty
}

// NewProvider returns the provider that issues tokens as issuer.
func NewProvider(issuer string, log *slog.Logger) *Provider {
	return &Provider{
		issuer: issuer, client: newProviderClient(), log: log, now: time.Now,
		turn: make(chan struct{}, 1),
	}
}

var errProviderAway = delivery.Errorf(delivery.Unavailable, "",
	"The identity provider can't be reached, so nobody can be recognised by it now. Try again in a moment.")

// metadata returns what the provider says of itself, or errProviderAway.
func (p *Provider) metadata(ctx context.Context) (*metadata, error) {
	for range 2 {
		p.mu.Lock()
		about := p.about
		p.mu.Unlock()
		if about != nil {
			return about, nil
		}
		if err := p.refresh(ctx, false); err != nil {
			return nil, err
		}
	}
	return nil, errProviderAway
}

// verifying returns the keys that may have signed a token whose header has kid
// and alg. There are none when the provider has no such key, and
// errProviderAway when it can't be asked.
func (p *Provider) verifying(ctx context.Context, kid, alg string) ([]crypto.PublicKey, error) {
	found, age := p.cached(kid, alg)
	if len(found) == 0 || age >= keysFresh {
		// One caller looks, and the others go on with what they have.
		if err := p.refresh(ctx, len(found) > 0 && age < keysTrust); err != nil {
			return nil, err
		}
		found, age = p.cached(kid, alg)
	}
	if age >= keysTrust {
		return nil, errProviderAway
	}
	return found, nil
}

// cached returns the keys for a token among those that are known, and how long
// ago these were fetched.
func (p *Provider) cached(kid, alg string) (found []crypto.PublicKey, age time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fetched.IsZero() {
		return nil, keysTrust
	}
	for _, k := range p.keys {
		if (kid == "" || k.KeyID == kid) && (k.Algorithm == "" || k.Algorithm == alg) && signs(k, alg) {
			found = append(found, k.Key)
		}
	}
	return found, p.now().Sub(p.fetched)
}

// refresh asks the provider, unless that was done not long ago. It waits for
// whoever does so already, or with hurry set does not.
func (p *Provider) refresh(ctx context.Context, hurry bool) error {
	select {
	case p.turn <- struct{}{}:
	default:
		if hurry {
			return nil
		}
		select {
		case p.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-p.turn }()
	about, due := p.begin()
	if !due {
		return nil
	}
	// Not ended with the caller: the next one would have to wait for a minute.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*providerTimeout)
	defer cancel()
	if err := p.ask(ctx, about); err != nil {
		p.log.WarnContext(ctx, "ask the identity provider", "err", err) // who needs the answer finds none
	}
	return nil
}

// ask reads the provider's settings, unless they are known, and its keys.
func (p *Provider) ask(ctx context.Context, about *metadata) error {
	if about == nil {
		var err error
		if about, err = p.discover(ctx); err != nil {
			return fmt.Errorf("read its settings: %w", err)
		}
		p.mu.Lock()
		p.about = about
		p.mu.Unlock()
	}
	keys, err := p.fetchKeys(ctx, about.keysURL)
	if err != nil {
		return fmt.Errorf("read its keys: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys, p.fetched = keys, p.now()
	return nil
}

// begin reports whether the provider may be asked again, and notes that it is.
func (p *Provider) begin() (about *metadata, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pause := refreshPause
	if p.fetched.IsZero() {
		pause = firstPause
	}
	now := p.now()
	if !p.tried.IsZero() && now.Sub(p.tried) < pause {
		return nil, false
	}
	p.tried = now
	return p.about, true
}

// discover reads the provider's settings. Its issuer must be ours to the
// letter, or tokens of another one would be accepted.
func (p *Provider) discover(ctx context.Context) (*metadata, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.issuer)
	if err != nil {
		return nil, err
	}
	var said struct {
		Keys    string   `json:"jwks_uri"`
		Logout  string   `json:"end_session_endpoint"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&said); err != nil {
		return nil, err
	}
	about := &metadata{endpoint: provider.Endpoint(), keysURL: said.Keys, logout: said.Logout}
	about.endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if len(said.Methods) > 0 && !slices.Contains(said.Methods, "client_secret_basic") {
		about.endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	for _, address := range []string{about.endpoint.AuthURL, about.endpoint.TokenURL, about.keysURL} {
		if !p.trusts(address) {
			return nil, fmt.Errorf("it names the address %q, which is not https", address)
		}
	}
	if !p.trusts(about.logout) {
		about.logout = ""
	}
	return about, nil
}

// trusts reports whether address is as well protected as the issuer is.
func (p *Provider) trusts(address string) bool {
	ours, err := url.Parse(p.issuer)
	if err != nil {
		return false
	}
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == ours.Scheme && u.Scheme == "http")
}
