package auth

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	strict "github.com/go-jose/go-jose/v4/json"
)

// Limits on the times in a token. They are stricter than usual: a token that is
// valid for years is a key that cannot be revoked.
const (
	leeway       = 30 * time.Second // on exp and nbf
	maxClockSkew = time.Minute      // between the provider's clock and ours, on iat
	maxLifetime  = 24 * time.Hour
)

// maxName is the longest display name taken from a token, in characters.
const maxName = 100

// claims are the claims of a token.
type claims struct {
	all        map[string]any
	issuer     string
	subject    string
	audience   []string
	authorized string // azp, the party the token was issued to
	nonce      string
	issued     time.Time
	expires    time.Time // includes leeway
	notBefore  time.Time // zero if absent
}

// parseClaims parses a token's payload. It rejects what parsers read
// differently: duplicate names, names that differ in case, and times that are
// not numbers.
func parseClaims(payload []byte) (claims, error) {
	c := claims{}
	if err := strict.Unmarshal(payload, &c.all); err != nil || c.all == nil {
		return c, errors.New("its claims are not a JSON object with distinct names")
	}
	var err error
	for name, to := range map[string]*string{
		"iss": &c.issuer, "sub": &c.subject, "azp": &c.authorized, "nonce": &c.nonce,
	} {
		if value, ok := c.all[name]; ok {
			if *to, ok = value.(string); !ok {
				err = errors.New(name + " is not a string")
			}
		}
	}
	for name, to := range map[string]*time.Time{"iat": &c.issued, "exp": &c.expires, "nbf": &c.notBefore} {
		if value, ok := c.all[name]; ok {
			seconds, ok := value.(float64)
			if !ok || seconds < 0 || seconds > 1<<40 {
				err = errors.New(name + " is not a number of seconds")
				continue
			}
			*to = time.UnixMilli(int64(seconds * 1000))
		}
	}
	c.audience = values(c.all["aud"])
	if err == nil && !c.expires.IsZero() {
		c.expires = c.expires.Add(leeway)
	}
	return c, err
}

// check returns an error unless the claims are those of a token that is valid now,
// from issuer and for audience.
func (c claims) check(issuer, audience string, now time.Time) error {
	switch {
	case c.issuer != issuer:
		return errors.New("it has a different issuer (iss)")
	case !slices.Contains(c.audience, audience):
		return errors.New("it has a different audience (aud)")
	case len(c.audience) > 1 && c.authorized == "":
		return errors.New("it has several audiences but no authorized party (azp)")
	case c.subject == "" || len(c.subject) > 255:
		return errors.New("its subject (sub) is missing or too long")
	case c.issued.IsZero() || c.expires.IsZero():
		return errors.New("its issue time (iat) or expiry time (exp) is missing")
	case !now.Before(c.expires):
		return errors.New("it has expired")
	case c.issued.After(now.Add(maxClockSkew)):
		return errors.New("it was issued in the future")
	case c.notBefore.After(now.Add(leeway)):
		return errors.New("it is not valid yet (nbf)")
	case c.expires.Sub(c.issued) > maxLifetime+leeway:
		return errors.New("its lifetime is longer than 24 hours")
	}
	return nil
}

// checkBearer returns an error if a valid token is not an access token. Providers
// sign ID tokens and logout tokens with the same keys.
func (c claims) checkBearer() error {
	for _, name := range []string{"nonce", "at_hash", "c_hash"} {
		if _, ok := c.all[name]; ok {
			return errors.New("it is an ID token, not an access token")
		}
	}
	if _, ok := c.all["events"]; ok {
		return errors.New("it is a logout token, not an access token")
	}
	// Keycloak's private claim.
	if kind, ok := c.all["typ"].(string); ok && !strings.EqualFold(kind, "bearer") {
		return errors.New("it is not an access token")
	}
	return nil
}

// Claims with the name of a person or of a program, in order of preference. The
// azp of an ID token names this server, not the person.
var (
	personNameClaims  = []string{"preferred_username", "email", "name"}
	programNameClaims = []string{"preferred_username", "email", "name", "client_id", "azp"}
)

// name returns the subject's display name: the first claim of by that is present,
// and the subject's unique id.
func (c claims) name(by []string) string {
	for _, claim := range by {
		text, _ := c.all[claim].(string)
		text = strings.TrimSpace(strings.Map(printable, text))
		if text == "" || text == c.subject {
			continue
		}
		if all := []rune(text); len(all) > maxName {
			text = string(all[:maxName])
		}
		return text + " (" + strings.Map(printable, c.subject) + ")"
	}
	return strings.Map(printable, c.subject)
}

// person identifies the subject permanently.
func (c claims) person() string { return c.issuer + " " + c.subject }

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

// values returns the strings of a claim that is a string or a list of strings,
// without the strings that a database cannot store.
func values(claim any) []string {
	list, ok := claim.([]any)
	if !ok {
		list = []any{claim}
	}
	var all []string
	for _, one := range list {
		if text, ok := one.(string); ok && utf8.ValidString(text) && !strings.Contains(text, "\x00") {
			all = append(all, text)
		}
	}
	return all
}

// verified reports whether the provider has verified the e-mail address.
func (c claims) verified() bool {
	switch v := c.all["email_verified"].(type) {
	case bool:
		return v
	case string:
		return v == "true"
	}
	return false
}
