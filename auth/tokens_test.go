package auth

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"portalhooks/auth/authtest"
	"portalhooks/delivery"
)

// fakeOrgs are organizations by Portal's ids.
type fakeOrgs map[string]delivery.OrgID

func (f fakeOrgs) OrganizationByExternalID(_ context.Context, id string) (delivery.Organization, error) {
	if f[id] == 0 {
		return delivery.Organization{}, delivery.Errorf(delivery.NotFound, "", "none")
	}
	return delivery.Organization{ID: f[id], ExternalID: id}, nil
}

// rulesOf parses rules for the claim groups.
func rulesOf(t *testing.T, texts ...string) Rules {
	t.Helper()
	rules := Rules{Claim: "groups"}
	for _, text := range texts {
		rule, err := ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		rules.Rules = append(rules.Rules, rule)
	}
	return rules
}

// A deployment is an identity provider and the Tokens that trust it.
type deployment struct {
	*authtest.Issuer
	tokens *Tokens
	now    time.Time
	nextID int
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{Issuer: authtest.New(t), now: time.Now().Truncate(time.Second)}
	clock := func() time.Time { return d.now }
	d.Now = clock
	provider := NewProvider(d.URL, slog.New(slog.DiscardHandler))
	provider.now = clock
	grants := NewGrants(rulesOf(t, "acme:{org}=admin"), fakeOrgs{"a": 7})
	d.tokens = NewTokens(provider, authtest.ClientID, grants)
	t.Cleanup(provider.client.CloseIdleConnections)
	return d
}

// claims returns the claims of a valid token with change applied; nil deletes a
// claim.
func (d *deployment) claims(change map[string]any) map[string]any {
	all := d.Usual()
	all["groups"] = []string{"acme:a", "other"}
	maps.Copy(all, change)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

func (d *deployment) header(change map[string]any) map[string]any {
	all := map[string]any{"alg": "RS256", "typ": "JWT", "kid": d.KeyID()}
	maps.Copy(all, change)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

func payload(t *testing.T, claims map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestValidTokensAreAccepted(t *testing.T) {
	d := newDeployment(t)
	now := d.now.Unix()
	elliptic, edwards := authtest.NewOtherKey(t, "e", "ES256", 0), authtest.NewOtherKey(t, "d", "EdDSA", 0)
	d.Publish(elliptic.Public)
	d.Publish(edwards.Public)
	d.Publish(map[string]any{"kty": "of the future"})
	plain := payload(t, d.claims(nil))
	for name, token := range map[string]string{
		"plain":                    d.Sign(d.claims(nil)),
		"an access token":          d.Forge(d.header(map[string]any{"typ": "at+jwt"}), plain),
		"a media type":             d.Forge(d.header(map[string]any{"typ": "application/AT+JWT"}), plain),
		"no type":                  d.Forge(d.header(map[string]any{"typ": nil}), plain),
		"no key id":                d.Forge(d.header(map[string]any{"kid": nil}), plain),
		"ES256":                    elliptic.Sign(t, d.claims(nil)),
		"EdDSA":                    edwards.Sign(t, d.claims(nil)),
		"from Keycloak":            d.Sign(d.claims(map[string]any{"typ": "Bearer", "jti": "x"})),
		"several audiences, azp":   d.Sign(d.claims(map[string]any{"aud": []string{"account", "portalhooks"}, "azp": "it"})),
		"clock slow by a minute":   d.Sign(d.claims(map[string]any{"iat": now + 60, "exp": now + 360})),
		"expired within leeway":    d.Sign(d.claims(map[string]any{"iat": now - 300, "exp": now - 29})),
		"not before within leeway": d.Sign(d.claims(map[string]any{"nbf": now + 30})),
		"a whole day":              d.Sign(d.claims(map[string]any{"exp": now + 86400})),
		"fractional seconds":       d.Sign(d.claims(map[string]any{"exp": float64(now) + 300.5})),
	} {
		caller, end, err := d.tokens.Authenticate(t.Context(), token, false)
		if err != nil || caller.Grants[7] != delivery.Admin || caller.Operator || caller.Portal || end.IsZero() {
			t.Errorf("%s: caller = %+v, %s, %v", name, caller, end, err)
		}
		if want := "ada (248289761001)"; caller.Name != want {
			t.Errorf("%s: name = %q, want %q", name, caller.Name, want)
		}
	}
}

// Forged tokens, and tokens that the provider issued for another purpose.
func TestInvalidTokensAreRejected(t *testing.T) {
	d := newDeployment(t)
	now := d.now.Unix()
	other := authtest.NewOtherKey(t, d.KeyID(), "RS256", 2048)
	weak := authtest.NewOtherKey(t, "weak", "RS256", 1024)
	symmetric := authtest.NewOtherKey(t, "sym", "ES256", 0)
	d.Publish(weak.Public)
	d.Publish(map[string]any{"kty": "oct", "kid": "sym", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"})
	d.Publish(map[string]any{"kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB"})
	plain := payload(t, d.claims(nil))
	with := func(change map[string]any) string { return d.Sign(d.claims(change)) }
	headed := func(change map[string]any) string { return d.Forge(d.header(change), plain) }
	raw := func(old, text string) string {
		return d.Forge(d.header(nil), []byte(strings.Replace(string(plain), old, text, 1)))
	}
	good := with(nil)
	for name, token := range map[string]string{
		"empty":                "",
		"two parts":            "a.b",
		"four parts":           good + ".x",
		"JSON serialization":   `{"payload":"e30","signatures":[]}`,
		"padding":              strings.Replace(good, ".", "=.", 1),
		"alg none":             authtest.Unsigned(d.header(map[string]any{"alg": "none"}), plain),
		"alg None":             authtest.Unsigned(d.header(map[string]any{"alg": "None"}), plain),
		"no signature":         good[:strings.LastIndex(good, ".")+1],
		"no alg":               headed(map[string]any{"alg": nil}),
		"HS256, public key":    d.Confused(d.header(map[string]any{"alg": "HS256"}), plain),
		"RS256, HMAC":          d.Confused(d.header(nil), plain),
		"HS256, published":     headed(map[string]any{"alg": "HS256", "kid": "sym"}),
		"key of another type":  symmetric.Sign(t, d.claims(nil)),
		"RS384":                headed(map[string]any{"alg": "RS384"}),
		"PS256":                headed(map[string]any{"alg": "PS256"}),
		"another issuer's key": other.Sign(t, d.claims(nil)),
		"a weak key":           weak.Sign(t, d.claims(nil)),
		"an encryption key":    headed(map[string]any{"kid": "enc"}),
		"an unknown key":       headed(map[string]any{"kid": "none"}),
		"kid is a path":        headed(map[string]any{"kid": "../../../dev/null"}),
		"kid is a query":       headed(map[string]any{"kid": "' OR 1=1 --"}),
		"kid is a number":      headed(map[string]any{"kid": 1}),
		"crit":                 headed(map[string]any{"crit": []string{"b64"}, "b64": false}),
		"crit, empty":          headed(map[string]any{"crit": []string{}}),
		"another typ":          headed(map[string]any{"typ": "logout+jwt"}),
		"typ is a number":      headed(map[string]any{"typ": 1}),
		"another payload":      good[:strings.Index(good, ".")] + "." + strings.Split(with(map[string]any{"sub": "root"}), ".")[1] + good[strings.LastIndex(good, "."):],
		"another issuer":       with(map[string]any{"iss": "https://evil.example"}),
		"issuer with a slash":  with(map[string]any{"iss": d.URL + "/"}),
		"no issuer":            with(map[string]any{"iss": nil}),
		"another audience":     with(map[string]any{"aud": "another"}),
		"audience as a list":   with(map[string]any{"aud": "another portalhooks"}),
		"no audience":          with(map[string]any{"aud": nil}),
		"empty audience":       with(map[string]any{"aud": []string{}}),
		"audiences, no azp":    with(map[string]any{"aud": []string{"portalhooks", "another"}}),
		"azp is a number":      with(map[string]any{"azp": 1}),
		"no subject":           with(map[string]any{"sub": nil}),
		"empty subject":        with(map[string]any{"sub": ""}),
		"expired":              with(map[string]any{"iat": now - 400, "exp": now - 30}),
		"no exp":               with(map[string]any{"exp": nil}),
		"exp is a string":      with(map[string]any{"exp": strconv.FormatInt(now+300, 10)}),
		"exp is huge":          with(map[string]any{"exp": 1e300}),
		"exp is negative":      with(map[string]any{"exp": -1}),
		"ten years":            with(map[string]any{"exp": now + 10*365*86400}),
		"a day and a second":   with(map[string]any{"exp": now + 86401}),
		"no iat":               with(map[string]any{"iat": nil}),
		"iat is a string":      with(map[string]any{"iat": strconv.FormatInt(now, 10)}),
		"iat in the future":    with(map[string]any{"iat": now + 61}),
		"not valid yet":        with(map[string]any{"nbf": now + 31}),
		"nbf is a string":      with(map[string]any{"nbf": "0"}),
		"iss twice":            raw(`"iss"`, `"iss":"https://evil.example","iss"`),
		"groups twice":         raw(`"groups"`, `"groups":["acme:a"],"groups"`),
		"exp in another case":  raw(`"exp"`, `"EXP"`),
		"aud in another case":  raw(`"aud"`, `"AUD"`),
		"a list":               d.Forge(d.header(nil), []byte("[]")),
		"null":                 d.Forge(d.header(nil), []byte("null")),
		"not JSON":             d.Forge(d.header(nil), append(plain, '}')),
		"huge":                 with(map[string]any{"filler": strings.Repeat("x", bearerToken.length)}),
		"an ID token":          with(map[string]any{"nonce": "n"}),
		"an ID token's hash":   with(map[string]any{"at_hash": "n"}),
		"an ID token's typ":    with(map[string]any{"typ": "ID"}),
		"a refresh token":      with(map[string]any{"typ": "Refresh"}),
		"a logout token":       with(map[string]any{"events": map[string]any{}}),
	} {
		caller, _, err := d.tokens.Authenticate(t.Context(), token, false)
		if delivery.CodeOf(err) != delivery.Unauthenticated || caller.Known() {
			t.Errorf("%s: caller = %+v, err = %v", name, caller, err)
		}
		if d.tokens.knows(token) {
			t.Errorf("%s: the token is cached", name)
		}
	}
}

// Keys in a token's header, and the URLs of keys, are ignored.
func TestKeysInATokenAreIgnored(t *testing.T) {
	d, evil := newDeployment(t), authtest.New(t)
	plain := payload(t, d.claims(nil))
	for name, header := range map[string]map[string]any{
		"jwk":            {"jwk": evil.PublicKey(), "kid": evil.KeyID()},
		"jwk, known kid": {"jwk": evil.PublicKey()},
		"jwk, no kid":    {"jwk": evil.PublicKey(), "kid": nil},
		"jku":            {"jku": evil.URL + "/keys", "kid": evil.KeyID()},
		"x5u":            {"x5u": evil.URL + "/keys", "kid": nil},
	} {
		_, _, err := d.tokens.Authenticate(t.Context(), evil.Forge(d.header(header), plain), false)
		if delivery.CodeOf(err) != delivery.Unauthenticated {
			t.Errorf("%s: err = %v", name, err)
		}
	}
	if n := evil.Calls("/keys"); n != 0 {
		t.Errorf("%d requests to the URL in the token, want none", n)
	}
}

func TestTokenWithoutARoleIsForbidden(t *testing.T) {
	d := newDeployment(t)
	for name, groups := range map[string]any{
		"none": nil, "another": []string{"x"}, "a number": 7, "unknown organization": "acme:b",
		"a string that no database stores": "acme:\x00",
	} {
		_, _, err := d.tokens.Authenticate(t.Context(), d.Sign(d.claims(map[string]any{"groups": groups})), false)
		if delivery.CodeOf(err) != delivery.Forbidden {
			t.Errorf("%s: err = %v, want Forbidden", name, err)
		}
	}
}

// For any payload, nothing panics, and accepted claims mean the same to a lenient
// parser.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		`{"iss":"i","aud":"a","sub":"s","iat":1,"exp":2}`, `{"iss":"i","ISS":"x"}`, `{"exp":1e400}`, `[]`,
		`{"iss":"i","aud":["a","b"],"azp":"x","sub":"s","iat":1,"exp":2,"nbf":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := parseClaims(payload)
		if err != nil || c.check("i", "a", time.Unix(1, 0)) != nil {
			return
		}
		_, _ = c.name(programNameClaims), c.checkBearer()
		var loose map[string]any
		if err := json.Unmarshal(payload, &loose); err != nil {
			t.Fatalf("%s: %v", payload, err)
		}
		if loose["iss"] != "i" || loose["sub"] != c.subject || loose["exp"] == nil {
			t.Errorf("%s has two readings", payload)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add("eyJhbGciOiJSUzI1NiJ9.e30.x")
	f.Fuzz(func(t *testing.T, text string) {
		alg, _, err := parseHeader(text, bearerToken.types)
		if err == nil && alg != algRSA && alg != algECDSA && alg != algEdwards {
			t.Errorf("%q: alg = %q", text, alg)
		}
	})
}

func TestNameOfTheSubject(t *testing.T) {
	long := strings.Repeat("é", maxName+1)
	for name, tt := range map[string]struct {
		claims          map[string]any
		person, program string
	}{
		"a person":           {map[string]any{"email": "a@b", "name": "Ada", "azp": "x"}, "a@b (7)", "a@b (7)"},
		"a program":          {map[string]any{"azp": "robot"}, "7", "robot (7)"},
		"no name":            {map[string]any{}, "7", "7"},
		"the id as a name":   {map[string]any{"preferred_username": "7"}, "7", "7"},
		"a long name":        {map[string]any{"name": long}, long[:2*maxName] + " (7)", long[:2*maxName] + " (7)"},
		"control characters": {map[string]any{"name": "a\r\nb\u202e"}, "ab (7)", "ab (7)"},
		"a number":           {map[string]any{"name": 7}, "7", "7"},
	} {
		c := claims{all: tt.claims, subject: "7"}
		if got := c.name(personNameClaims); got != tt.person {
			t.Errorf("%s: name of a person = %q, want %q", name, got, tt.person)
		}
		if got := c.name(programNameClaims); got != tt.program {
			t.Errorf("%s: name of a program = %q, want %q", name, got, tt.program)
		}
	}
}

func TestTokenIsCachedUntilItExpires(t *testing.T) {
	d := newDeployment(t)
	const left = 5 * time.Second // less than tokenCacheTTL
	token := d.Sign(d.claims(map[string]any{
		"iat": d.now.Add(-time.Hour).Unix(), "exp": d.now.Add(left - leeway).Unix(),
	}))
	if _, end, err := d.tokens.Authenticate(t.Context(), token, false); err != nil || !d.tokens.knows(token) ||
		!end.Equal(d.now.Add(left)) {
		t.Fatalf("end = %s, err = %v", end, err)
	}
	d.now = d.now.Add(left)
	_, _, err := d.tokens.Authenticate(t.Context(), token, false)
	if delivery.CodeOf(err) != delivery.Unauthenticated {
		t.Errorf("after its expiry: %v", err)
	}
}

// Unlike go-oidc, package auth makes no exception for Google.
func TestIssuerIsComparedExactly(t *testing.T) {
	now := time.Unix(1000, 0)
	const google = "accounts.google.com"
	for issuer, good := range map[string]bool{"https://" + google: true, google: false} {
		c, err := parseClaims([]byte(`{"iss":"` + issuer + `","aud":"a","sub":"s","iat":1000,"exp":1060}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.check("https://"+google, "a", now); (err == nil) != good {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}
