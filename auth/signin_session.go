package auth

import (
	"net/http"
	"net/url"
	"time"

	"portalhooks/delivery"
)

var errSessionExpired = delivery.Errorf(delivery.Unauthenticated, "",
	"Your session has ended. Sign in again at /auth/sign-in.")

// knows implements [SessionAuthenticator].
func (s *SignIn) knows(r *http.Request) bool {
	id, ok := sessionID(r)
	return ok && s.sessions.has(id)
}

// caller implements [SessionAuthenticator].
func (s *SignIn) caller(r *http.Request, revalidate bool) (delivery.Caller, time.Time, error) {
	if len(r.CookiesNamed(secureCookie)) == 0 {
		return delivery.Caller{}, time.Time{}, nil
	}
	id, ok := sessionID(r)
	if !ok {
		return delivery.Caller{}, time.Time{}, errSessionExpired
	}
	session, err := s.sessions.find(r.Context(), id, revalidate)
	if err != nil {
		return delivery.Caller{}, time.Time{}, err
	}
	caller, err := s.o.Grants.caller(r.Context(), session.Name, session.Person, session.Claims)
	return caller, session.EndsAt, err
}

// signOut ends the session of a request from one of this server's pages, and
// sends the browser on to the provider's sign-out page.
func (s *SignIn) signOut(w http.ResponseWriter, r *http.Request) {
	if !s.sameOrigin(r) {
		writeNotice(w, http.StatusForbidden, notice{
			Title: "You are still signed in",
			Text:  "This request did not come from a page of this server. Use the button on its start page.",
		})
		return
	}
	if id, ok := sessionID(r); ok {
		// No event for a session that has ended already.
		if c, _, err := s.caller(r, false); err == nil {
			if err := announce(r, c, s.o.SignedOut); err != nil {
				s.reject(w, r, err)
				return
			}
		}
		if err := s.sessions.end(r.Context(), id); err != nil {
			s.reject(w, r, err)
			return
		}
	}
	s.setCookie(w, secureCookie, "", -1)
	n := notice{Title: "You are signed out", Link: "/", Label: "Back to the start"}
	if meta, err := s.o.Provider.discovered(r.Context()); err == nil && meta.logout != "" {
		if u, err := url.Parse(meta.logout); err == nil {
			q := u.Query()
			q.Set("client_id", s.o.ClientID)
			q.Set("post_logout_redirect_uri", s.baseURL)
			u.RawQuery = q.Encode()
			n.Text = "You may still be signed in at the identity provider."
			n.Link, n.Label = u.String(), "Sign out there too"
			// Not a redirect: browsers apply form-action to the redirects of a form.
			w.Header().Set("Refresh", "0; url="+n.Link)
		}
	}
	writeNotice(w, http.StatusOK, n)
}

// sameOrigin reports whether r comes from one of this server's pages.
func (s *SignIn) sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	return r.Header.Get("Origin") == s.origin
}
