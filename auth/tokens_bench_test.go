package auth

import (
	"log/slog"
	"testing"

	"portalhooks/auth/authtest"
)

func BenchmarkToken(b *testing.B) {
	issuer := authtest.New(b)
	provider := NewProvider(issuer.URL, slog.New(slog.DiscardHandler))
	b.Cleanup(provider.client.CloseIdleConnections)
	rule, err := ParseRule("a=operator")
	if err != nil {
		b.Fatal(err)
	}
	tokens := NewTokens(provider, authtest.ClientID, NewGrants(Rules{"groups", []Rule{rule}}, fakeOrgs{}))
	claims := issuer.Usual()
	claims["groups"] = []string{"a"}
	text := issuer.Sign(claims)
	for name, uncached := range map[string]bool{"cached": false, "not cached": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if uncached {
					clear(tokens.cache)
				}
				if _, _, err := tokens.Authenticate(b.Context(), text, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
