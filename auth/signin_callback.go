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

// sessionAtMost is when a session ends, however much it is used.
const sessionAtMost = 12 * time.Hour

// errStray is for an answer that this browser has not asked for, or not lately.
var errStray = delivery.Errorf(delivery.Invalid, "",
	"This answer of the identity provider does not belong to a sign-in that this browser has begun in the last "+
		"ten minutes. Begin again.")

// callback takes the provider's answer, and makes a session of it.
func (s *SignIn) callback(w http.ResponseWriter, r *http.Request) {
	begun, err := s.attempt(r)
	s.setCookie(w, stateCookie, "", -1)
	q := r.URL.Query()
	if err != nil || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(begun.State)) != 1 {
		s.refuse(w, r, errStray)
		return
	}
	// An answer of another provider's, which this one's was mixed up with.
	if iss := q.Get("iss"); iss != "" && iss != s.o.Provider.issuer {
		s.refuse(w, r, errStray)
		return
	}
	code := q.Get("code")
	if code == "" || q.Get("error") != "" {
		s.o.Provider.log.InfoContext(r.Context(), "the identity provider lets nobody in", "error", q.Get("error"))
		s.refuse(w, r, delivery.Errorf(delivery.Forbidden, "",
			"The identity provider did not let you sign in. Begin again, or ask whoever runs it."))
		return
	}
	c, err := s.exchange(r.Context(), code, begun)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if err := s.welcome(w, r, c); err != nil {
		s.refuse(w, r, err)
		return
	}
	http.Redirect(w, r, begun.Return, http.StatusSeeOther)
}

// exchange trades the provider's code for what it says of the person.
func (s *SignIn) exchange(ctx context.Context, code string, begun attempt) (claims, error) {
	about, err := s.o.Provider.metadata(ctx)
	if err != nil {
		return claims{}, err
	}
	ctx = oidc.ClientContext(ctx, s.o.Provider.client)
	token, err := s.client(about).Exchange(ctx, code, oauth2.VerifierOption(begun.Verifier))
	if err != nil {
		refused, ok := errors.AsType[*oauth2.RetrieveError](err)
		if ok && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError {
			s.o.Provider.log.WarnContext(ctx, "the identity provider refuses a code", "error", refused.ErrorCode)
			return claims{}, errStray
		}
		s.o.Provider.log.WarnContext(ctx, "trade a code with the identity provider", "err", err)
		return claims{}, errProviderAway
	}
	text, _ := token.Extra("id_token").(string)
	c, err := s.o.Provider.verify(ctx, text, s.o.ClientID, idToken)
	switch {
	case err != nil:
		return claims{}, err
	case subtle.ConstantTimeCompare([]byte(c.nonce), []byte(begun.Nonce)) != 1:
		return claims{}, errStray
	case c.party != "" && c.party != s.o.ClientID:
		return claims{}, badToken(errors.New("it was issued to another client"))
	}
	return c, nil
}

// welcome begins a session for the person, always with a secret of its own, and
// ends the one that the browser had.
func (s *SignIn) welcome(w http.ResponseWriter, r *http.Request, c claims) error {
	picked := s.o.Grants.rules.pick(c)
	caller, err := s.o.Grants.caller(r.Context(), c.name(personNames), picked)
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
		if err := s.known.end(r.Context(), id); err != nil {
			return err
		}
	}
	now := s.now()
	err = s.o.Store.CreateSession(r.Context(), delivery.Session{
		ID: hashOf(secret), Person: c.issuer + " " + c.subject, Name: c.name(personNames), Claims: picked,
		CreatedAt: now, SeenAt: now, EndsAt: now.Add(sessionAtMost),
	}, sessionsPerPerson)
	if err != nil {
		return fmt.Errorf("keep the session: %w", err)
	}
	s.setCookie(w, secureCookie, secret, 0)
	return nil
}

// announce tells of a caller who comes or goes with r.
func announce(r *http.Request, c delivery.Caller, told func(context.Context, delivery.Caller) error) error {
	if told == nil {
		return nil
	}
	c.Address, _, _ = net.SplitHostPort(r.RemoteAddr)
	return told(r.Context(), c)
}

// sessionID returns the id of the session whose secret r carries.
func sessionID(r *http.Request) (id string, ok bool) {
	cookies := r.CookiesNamed(secureCookie)
	if len(cookies) != 1 || len(cookies[0].Value) != credential.SecretLength {
		return "", false
	}
	return hashOf(cookies[0].Value), true
}

// hashOf is what the store knows of a session's secret.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
