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

// A kind of token has a bound, and types that its header may name. One that
// names none is a JWT.
type kind struct {
	length int
	types  []string
}

var (
	// Programs send these in a header. Much of what stands in front of servers
	// refuses longer ones.
	bearerToken = kind{8 << 10, []string{"", "jwt", "at+jwt", "application/at+jwt"}}
	// The provider itself gives these to us. People are in many groups.
	idToken = kind{32 << 10, []string{"", "jwt"}}
)

// verify returns what a token says that the provider has signed for audience.
// Any fault is Unauthenticated, and says which; Unavailable means that the
// provider could not be asked.
func (p *Provider) verify(ctx context.Context, text, audience string, k kind) (claims, error) {
	if len(text) > k.length {
		return claims{}, badToken(fmt.Errorf("it is longer than %d bytes", k.length))
	}
	alg, kid, err := parseHeader(text, k.types)
	if err != nil {
		return claims{}, badToken(err)
	}
	keys, err := p.verifying(ctx, kid, alg)
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
		return claims{}, badToken(errors.New("its signature, issuer or audience is not the right one"))
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

// parseHeader returns what the header of a token says about the key. What else
// it has, such as keys or where to find them, is of no use: the provider's keys
// are known.
func parseHeader(text string, types []string) (alg, kid string, err error) {
	encoded, rest, _ := strings.Cut(text, ".")
	if strings.Count(rest, ".") != 1 {
		return "", "", errors.New("it is no API key and no signed JWT")
	}
	plain, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return "", "", errors.New("its header is no base64")
	}
	var header struct {
		Alg      string          `json:"alg"`
		Kid      string          `json:"kid"`
		Typ      string          `json:"typ"`
		Critical json.RawMessage `json:"crit"`
	}
	if err := strict.Unmarshal(plain, &header); err != nil {
		return "", "", errors.New("its header can't be read")
	}
	switch {
	case !slices.Contains([]string{algRSA, algECDSA, algEdwards}, header.Alg):
		return "", "", errors.New("it is not signed with RS256, ES256 or EdDSA")
	case !slices.Contains(types, strings.ToLower(header.Typ)):
		return "", "", errors.New("its type (typ) is another one")
	case header.Critical != nil:
		return "", "", errors.New("it asks for an extension that is not known here (crit)")
	}
	return header.Alg, header.Kid, nil
}
