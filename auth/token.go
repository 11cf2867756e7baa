package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	strict "github.com/go-jose/go-jose/v4/json"

	"portalhooks/delivery"
)

// A kind of token has a maximum length in bytes and a list of accepted types
// (typ). A token without a type is a JWT.
type kind struct {
	length int
	types  []string
}

var (
	// Sent by programs in a header. Many proxies reject longer headers.
	bearerToken = kind{8 << 10, []string{"", "jwt", "at+jwt", "application/at+jwt"}}
	// Sent by the provider in a response body. People may be in many groups.
	idToken = kind{32 << 10, []string{"", "jwt"}}
)

// verify returns the claims of a token that the provider has signed for audience.
// An invalid token is Unauthenticated, with the reason; an unreachable provider is
// Unavailable.
func (p *Provider) verify(ctx context.Context, text, audience string, k kind) (claims, error) {
	if len(text) > k.length {
		return claims{}, badToken(fmt.Errorf("it is longer than %d bytes", k.length))
	}
	alg, kid, err := parseHeader(text, k.types)
	if err != nil {
		return claims{}, badToken(err)
	}
	keys, err := p.verificationKeys(ctx, kid, alg)
	if err != nil {
		return claims{}, err
	}
	if len(keys) == 0 {
		return claims{}, badToken(errors.New("the identity provider has no such key"))
	}
	verifier := oidc.NewVerifier(p.issuer, &oidc.StaticKeySet{PublicKeys: keys}, &oidc.Config{
		ClientID: audience, SupportedSigningAlgs: []string{alg},
		SkipExpiryCheck: true, // check is stricter
	})
	token, err := verifier.Verify(ctx, text)
	if err != nil {
		return claims{}, badToken(errors.New("its signature, issuer or audience is wrong"))
	}
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return claims{}, badToken(err)
	}
	c, err := parseClaims(payload)
	if err == nil {
		err = c.check(p.issuer, audience, p.now())
	}
	if err != nil {
		return claims{}, badToken(err)
	}
	return c, nil
}

func badToken(why error) error {
	return delivery.Errorf(delivery.Unauthenticated, "", "This token is not valid: %s.", why)
}

// parseHeader returns the algorithm and the key id in a token's header. Keys in
// the header (jwk, jku, x5u) are ignored: only the provider's own keys count.
func parseHeader(text string, types []string) (alg, kid string, err error) {
	encoded, rest, _ := strings.Cut(text, ".")
	if strings.Count(rest, ".") != 1 {
		return "", "", errors.New("it is neither an API key nor a signed JWT")
	}
	plain, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return "", "", errors.New("its header is not base64")
	}
	var header struct {
		Alg      string          `json:"alg"`
		Kid      string          `json:"kid"`
		Typ      string          `json:"typ"`
		Critical json.RawMessage `json:"crit"`
	}
	if err := strict.Unmarshal(plain, &header); err != nil {
		return "", "", errors.New("its header is malformed")
	}
	switch {
	case !slices.Contains([]string{algRSA, algECDSA, algEdwards}, header.Alg):
		return "", "", errors.New("it is not signed with RS256, ES256 or EdDSA")
	case !slices.Contains(types, strings.ToLower(header.Typ)):
		return "", "", errors.New("its type (typ) is not accepted")
	case header.Critical != nil:
		return "", "", errors.New("it requires an unsupported extension (crit)")
	}
	return header.Alg, header.Kid, nil
}
