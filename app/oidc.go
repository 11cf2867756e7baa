package app

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"portalhooks/auth"
	"portalhooks/delivery/seal"
)

// OIDCFlags are the settings of the identity provider for people and programs.
type OIDCFlags struct {
	OIDCIssuer           string   `name:"oidc-issuer" help:"Issuer URL of the OpenID Connect identity provider whose tokens are accepted." placeholder:"URL"`
	OIDCClientID         string   `name:"oidc-client-id" help:"Client id of this server at the provider. With it, people can sign in at --public-url." placeholder:"ID"`
	OIDCClientSecretFile string   `name:"oidc-client-secret-file" help:"File with the client secret. Leave it out for a public client." placeholder:"FILE"`
	OIDCAudience         string   `name:"oidc-audience" help:"Required audience (aud) of the tokens of programs. Default: the client id." placeholder:"TEXT"`
	OIDCScopes           []string `name:"oidc-scopes" help:"Scopes to request at sign-in, besides openid." default:"profile,email"`
	OIDCGrantsClaim      string   `name:"oidc-grants-claim" help:"Claim with groups or roles. Dots select members of objects, as in realm_access.roles." default:"groups"`
	OIDCGrant            []string `name:"oidc-grant" help:"Rule that grants a role: VALUE=ROLE[@ORGANIZATION]. ORGANIZATION is an id in Portal; instead of it, {org} may stand in VALUE. ROLE is admin, viewer, operator or portal. CLAIM~ in front of VALUE selects another claim. Can be repeated." placeholder:"RULE"`
}

// rules reads the --oidc-grant settings.
func (f *OIDCFlags) rules() (auth.Rules, error) {
	rules := auth.Rules{Claim: f.OIDCGrantsClaim}
	for _, text := range f.OIDCGrant {
		rule, err := auth.ParseRule(text)
		if err != nil {
			return rules, fmt.Errorf("--oidc-grant: %w", err)
		}
		rules.Rules = append(rules.Rules, rule)
	}
	return rules, nil
}

// CheckProvider refuses settings that can't work. Base is the URL at which browsers
// reach the server.
func (f *OIDCFlags) CheckProvider(base *url.URL) error {
	if f.OIDCIssuer == "" {
		if f.OIDCClientID != "" || f.OIDCAudience != "" || f.OIDCClientSecretFile != "" || len(f.OIDCGrant) > 0 {
			return errors.New("the other --oidc settings need --oidc-issuer: the URL of your identity provider")
		}
		return nil
	}
	issuer, err := url.Parse(f.OIDCIssuer)
	if err != nil || !private(issuer) || issuer.RawQuery != "" || issuer.Fragment != "" {
		return errors.New("--oidc-issuer must be the https URL that the provider's " +
			"/.well-known/openid-configuration names as its issuer")
	}
	if f.OIDCClientID == "" && f.OIDCAudience == "" {
		return errors.New("--oidc-issuer needs --oidc-client-id, for people to sign in, or --oidc-audience, " +
			"for programs with tokens: tokens for other audiences must not be accepted")
	}
	if f.OIDCClientID == "" && f.OIDCClientSecretFile != "" {
		return errors.New("--oidc-client-secret-file needs --oidc-client-id")
	}
	if len(f.OIDCGrant) == 0 || f.OIDCGrantsClaim == "" {
		return errors.New("--oidc-issuer needs --oidc-grant, such as --oidc-grant acme-webhooks=admin@acme: " +
			"without a rule no caller has a role")
	}
	if _, err := f.rules(); err != nil {
		return err
	}
	if f.OIDCClientID != "" && (base == nil || !private(base) || strings.Trim(base.Path, "/") != "" ||
		base.RawQuery != "" || base.Fragment != "") {
		return errors.New("--oidc-client-id needs --public-url, the URL at which browsers reach this server, " +
			"such as https://hooks.example.com; register that URL with /auth/callback as the redirect URI")
	}
	return nil
}

// private reports whether traffic to u can't be read on the way.
func private(u *url.URL) bool {
	if u.Host == "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()+":0")
}

// Secret reads the client's secret.
func (f *OIDCFlags) Secret() (string, error) {
	if f.OIDCClientSecretFile == "" {
		return "", nil
	}
	content, err := os.ReadFile(f.OIDCClientSecretFile)
	if err != nil {
		return "", fmt.Errorf("--oidc-client-secret-file: %w", err)
	}
	text := strings.TrimSpace(string(content))
	if text == "" {
		return "", fmt.Errorf("--oidc-client-secret-file: %s is empty", f.OIDCClientSecretFile)
	}
	return text, nil
}

// useProvider accepts the people and programs that the identity provider
// authenticates. The provider need not be reachable yet.
func (a *App) useProvider(keyring *seal.Keyring) error {
	c := a.Settings
	rules, err := c.rules()
	if err != nil {
		return err
	}
	secret, err := c.Secret()
	if err != nil {
		return err
	}
	provider, grants := auth.NewProvider(c.OIDCIssuer, a.Log), auth.NewGrants(rules, a.Store)
	grants.Vouched = a.Service.Keys.EndWithRole
	audience := c.OIDCAudience
	if audience == "" {
		audience = c.OIDCClientID
	}
	a.Auth.Tokens = auth.NewTokens(provider, audience, grants)
	if c.OIDCClientID == "" {
		return nil
	}
	a.signIn = auth.NewSignIn(auth.SignInOptions{
		Provider: provider, Grants: grants, Store: a.Store, Sealer: keyring,
		ClientID: c.OIDCClientID, ClientSecret: secret, Scopes: c.OIDCScopes, PublicURL: c.PublicURL,
		SignedIn: a.Service.SignedIn, SignedOut: a.Service.SignedOut, Throttle: a.Auth.Throttle,
	})
	a.Auth.Sessions = a.signIn
	return nil
}
