package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"portalhooks/delivery"
	"portalhooks/delivery/credential"
)

// maxSessionAge is the lifetime of a session that is in constant use.
const maxSessionAge = 12 * time.Hour

// errUnexpectedResponse rejects a callback that does not belong to a recent
// attempt of the same browser.
var errUnexpectedResponse = delivery.Errorf(delivery.Invalid, "",
	"This response of the identity provider does not belong to a sign-in that this browser started in the last "+
		"ten minutes. Start again.")

// callback handles the provider's response and starts a session.
func (s *SignIn) callback(w http.ResponseWriter, r *http.Request) {
	started, err := s.attempt(r)
	s.setCookie(w, stateCookie, "", -1)
	q := r.URL.Query()
	if err != nil || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(started.State)) != 1 {
		s.reject(w, r, errUnexpectedResponse)
		return
	}
	// A mix-up attack: the response is from another provider.
	if iss := q.Get("iss"); iss != "" && iss != s.o.Provider.issuer {
		s.reject(w, r, errUnexpectedResponse)
		return
	}
	code := q.Get("code")
	if code == "" || q.Get("error") != "" {
		s.o.Provider.log.InfoContext(r.Context(), "identity provider denied the sign-in", "error", q.Get("error"))
		s.reject(w, r, delivery.Errorf(delivery.Forbidden, "",
			"The identity provider did not let you sign in. Start again, or ask its administrator."))
		return
	}
	c, err := s.exchange(r.Context(), code, started)
	if err != nil {
		s.reject(w, r, err)
		return
	}
	if err := s.startSession(w, r, c); err != nil {
		s.reject(w, r, err)
		return
	}
	http.Redirect(w, r, started.Return, http.StatusSeeOther)
}

// exchange exchanges the authorization code for an ID token and returns its
// claims.
func (s *SignIn) exchange(ctx context.Context, code string, started attempt) (claims, error) {
	meta, err := s.o.Provider.discovered(ctx)
	if err != nil {
		return claims{}, err
	}
	ctx = oidc.ClientContext(ctx, s.o.Provider.client)
	token, err := s.client(meta).Exchange(ctx, code, oauth2.VerifierOption(started.Verifier))
	if err != nil {
		refused, ok := errors.AsType[*oauth2.RetrieveError](err)
		if ok && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError {
			s.o.Provider.log.WarnContext(ctx, "identity provider rejected a code", "error", refused.ErrorCode)
			return claims{}, errUnexpectedResponse
		}
		s.o.Provider.log.WarnContext(ctx, "exchange an authorization code", "err", err)
		return claims{}, errProviderUnreachable
	}
	text, _ := token.Extra("id_token").(string)
	c, err := s.o.Provider.verify(ctx, text, s.o.ClientID, idToken)
	switch {
	case err != nil:
		return claims{}, err
	case subtle.ConstantTimeCompare([]byte(c.nonce), []byte(started.Nonce)) != 1:
		return claims{}, errUnexpectedResponse
	case c.authorized != "" && c.authorized != s.o.ClientID:
		return claims{}, badToken(errors.New("it was issued to another client"))
	}
	return c, nil
}

// startSession creates a session with a new secret and ends the one that the
// browser had.
func (s *SignIn) startSession(w http.ResponseWriter, r *http.Request, c claims) error {
	picked := s.o.Grants.rules.pick(c)
	name, person := c.name(personNameClaims), c.person()
	caller, err := s.o.Grants.fresh(r.Context(), name, person, picked)
	if err != nil {
		return err
	}
	if err := announce(r, caller, s.o.SignedIn); err != nil {
		return err
	}
	secret, err := credential.Random(credential.SecretLength)
	if err != nil {
		return err
	}
	if id, ok := sessionID(r); ok {
		if err := s.sessions.end(r.Context(), id); err != nil {
			return err
		}
	}
	now := s.now()
	err = s.o.Store.CreateSession(r.Context(), delivery.Session{
		ID: hashOf(secret), Person: person, Name: name, Claims: picked,
		CreatedAt: now, SeenAt: now, EndsAt: now.Add(maxSessionAge),
	}, maxSessionsPerPerson)
	if err != nil {
		return fmt.Errorf("create the session: %w", err)
	}
	s.setCookie(w, secureCookie, secret, 0)
	return nil
}

// announce calls notify, unless it is nil, for a caller who signs in or out with r.
func announce(r *http.Request, c delivery.Caller, notify func(context.Context, delivery.Caller) error) error {
	if notify == nil {
		return nil
	}
	c.Address, _, _ = net.SplitHostPort(r.RemoteAddr)
	return notify(r.Context(), c)
}

// sessionID returns the id of the session in r's cookie.
func sessionID(r *http.Request) (id string, ok bool) {
	cookies := r.CookiesNamed(secureCookie)
	if len(cookies) != 1 || len(cookies[0].Value) != credential.SecretLength {
		return "", false
	}
	return hashOf(cookies[0].Value), true
}

// hashOf returns the session id for a secret. The store never sees the secret.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
