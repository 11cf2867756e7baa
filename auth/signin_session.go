package auth

import (
	"net/http"
	"net/url"
	"time"

	"portalhooks/delivery"
)

var errSessionOver = delivery.Errorf(delivery.Unauthenticated, "",
	"Your session is over. Sign in again at /auth/sign-in.")

// knows reports whether r carries the cookie of a session that lasted not long
// ago.
func (s *SignIn) knows(r *http.Request) bool {
	id, ok := sessionID(r)
	return ok && s.known.has(id)
}

// caller returns whom r's session cookie stands for, and when the session ends:
// nobody without a cookie, Unauthenticated with one that is unknown or over. What
// is remembered does not count if anew.
func (s *SignIn) caller(r *http.Request, anew bool) (delivery.Caller, time.Time, error) {
	if len(r.CookiesNamed(secureCookie)) == 0 {
		return delivery.Caller{}, time.Time{}, nil
	}
	id, ok := sessionID(r)
	if !ok {
		return delivery.Caller{}, time.Time{}, errSessionOver
	}
	session, err := s.known.find(r.Context(), id, anew)
	if err != nil {
		return delivery.Caller{}, time.Time{}, err
	}
	caller, err := s.o.Grants.caller(r.Context(), session.Name, session.Claims)
	return caller, session.EndsAt, err
}

// signOut ends the session of whoever asks from one of our own pages, and sends
// the browser to sign out of the provider too.
func (s *SignIn) signOut(w http.ResponseWriter, r *http.Request) {
	if !s.ours(r) {
		showNote(w, http.StatusForbidden, note{
			Title: "You are still signed in",
			Text:  "This request did not come from a page of this server. Use the button on its start page.",
		})
		return
	}
	if id, ok := sessionID(r); ok {
		// Whose session is over already has gone before.
		if c, _, err := s.caller(r, false); err == nil {
			if err := announce(r, c, s.o.SignedOut); err != nil {
				s.refuse(w, r, err)
				return
			}
		}
		if err := s.known.end(r.Context(), id); err != nil {
			s.refuse(w, r, err)
			return
		}
	}
	s.setCookie(w, secureCookie, "", -1)
	n := note{Title: "You are signed out", Link: "/", Label: "Back to the start"}
	if about, err := s.o.Provider.metadata(r.Context()); err == nil && about.logout != "" {
		if u, err := url.Parse(about.logout); err == nil {
			q := u.Query()
			q.Set("client_id", s.o.ClientID)
			q.Set("post_logout_redirect_uri", s.baseURL)
			u.RawQuery = q.Encode()
			n.Text = "You may still be signed in at the identity provider."
			n.Link, n.Label = u.String(), "Sign out there too"
			// Not a redirect: browsers hold those of a form against form-action.
			w.Header().Set("Refresh", "0; url="+n.Link)
		}
	}
	showNote(w, http.StatusOK, n)
}

// ours reports whether r comes from one of this server's own pages.
func (s *SignIn) ours(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	return r.Header.Get("Origin") == s.origin
}
