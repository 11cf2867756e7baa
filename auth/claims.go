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

// Bounds of what a token says about time. They are narrower than what others
// accept: a token that is good for years is a key that nobody can revoke.
const (
	leeway      = 30 * time.Second // for clocks that differ
	aheadAtMost = time.Minute      // between the provider's clock and ours
	maxLifetime = 24 * time.Hour
)

// maxName is how long a name may be that a provider gives to a person.
const maxName = 100

// claims is what a token says.
type claims struct {
	all      map[string]any
	issuer   string
	subject  string
	audience []string
	party    string // azp: whom the token was issued to
	nonce    string
	issued   time.Time
	expires  time.Time // leeway included
	earliest time.Time // zero for at once
}

// parseClaims reads a token's payload. It is strict where readers differ: names
// that appear twice or in another case, and times that are no numbers.
func parseClaims(payload []byte) (claims, error) {
	c := claims{}
	if err := strict.Unmarshal(payload, &c.all); err != nil || c.all == nil {
		return c, errors.New("its claims are no JSON object with names that differ")
	}
	var err error
	for name, to := range map[string]*string{
		"iss": &c.issuer, "sub": &c.subject, "azp": &c.party, "nonce": &c.nonce,
	} {
		if value, ok := c.all[name]; ok {
			if *to, ok = value.(string); !ok {
				err = errors.New(name + " is no text")
			}
		}
	}
	for name, to := range map[string]*time.Time{"iat": &c.issued, "exp": &c.expires, "nbf": &c.earliest} {
		if value, ok := c.all[name]; ok {
			seconds, ok := value.(float64)
			if !ok || seconds < 0 || seconds > 1<<40 {
				err = errors.New(name + " is no number of seconds")
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

// check says what is wrong with the claims of a token from issuer for audience.
func (c claims) check(issuer, audience string, now time.Time) error {
	switch {
	case c.issuer != issuer:
		return errors.New("it is from another issuer")
	case !slices.Contains(c.audience, audience):
		return errors.New("it is for another audience")
	case len(c.audience) > 1 && c.party == "":
		return errors.New("it is for several audiences, and does not say whom it was issued to (azp)")
	case c.subject == "" || len(c.subject) > 255:
		return errors.New("it does not say whom it is about (sub)")
	case c.issued.IsZero() || c.expires.IsZero():
		return errors.New("it does not say when it was issued and until when it is good (iat, exp)")
	case !now.Before(c.expires):
		return errors.New("it has expired")
	case c.issued.After(now.Add(aheadAtMost)):
		return errors.New("it was issued in the future")
	case c.earliest.After(now.Add(leeway)):
		return errors.New("it is not good yet")
	case c.expires.Sub(c.issued) > maxLifetime+leeway:
		return errors.New("it is good for more than 24 hours")
	}
	return nil
}

// checkBearer says why a token, otherwise good, is none to call an API with.
// Providers sign ID tokens and notices with the same keys.
func (c claims) checkBearer() error {
	for _, name := range []string{"nonce", "at_hash", "c_hash"} {
		if _, ok := c.all[name]; ok {
			return errors.New("it is an ID token of somebody who signs in, not an access token")
		}
	}
	if _, ok := c.all["events"]; ok {
		return errors.New("it is a notice to a server, not an access token")
	}
	// Keycloak tells them apart so.
	if kind, ok := c.all["typ"].(string); ok && !strings.EqualFold(kind, "bearer") {
		return errors.New("it is no access token")
	}
	return nil
}

// Claims that hold the name of a person, and of a program. An ID token's azp is
// this server.
var (
	personNames  = []string{"preferred_username", "email", "name"}
	programNames = []string{"preferred_username", "email", "name", "client_id", "azp"}
)

// name returns how the subject appears: by the first of these claims that there
// is, and the id that nobody else has.
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

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

// values returns the texts of a claim that is a text or a list of texts. Those
// that no database takes are left out.
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

// verified reports whether the provider vouches for the e-mail address.
func (c claims) verified() bool {
	switch v := c.all["email_verified"].(type) {
	case bool:
		return v
	case string:
		return v == "true"
	}
	return false
}
