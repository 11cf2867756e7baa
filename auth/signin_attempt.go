package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// An attempt is one person's way to the provider and back. The browser carries
// it, sealed: an answer of the provider's counts only in the browser that asked.
type attempt struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"` // of PKCE
	Return   string    `json:"r"` // path
	Until    time.Time `json:"u"`
}

// attemptAAD keeps what is sealed here from being taken for anything else.
var attemptAAD = []byte("sign-in attempt")

func (s *SignIn) seal(a attempt) string {
	plain, err := json.Marshal(a)
	if err != nil {
		return "" // can't be: all its fields are text
	}
	return base64.RawURLEncoding.EncodeToString(s.o.Sealer.Seal(plain, attemptAAD))
}

// attempt returns what r's browser began.
func (s *SignIn) attempt(r *http.Request) (attempt, error) {
	cookies := r.CookiesNamed(stateCookie)
	if len(cookies) != 1 {
		return attempt{}, errors.New("no sign-in was begun in this browser")
	}
	envelope, err := base64.RawURLEncoding.DecodeString(cookies[0].Value)
	if err != nil {
		return attempt{}, err
	}
	plain, err := s.o.Sealer.Open(envelope, attemptAAD)
	if err != nil {
		return attempt{}, err
	}
	var a attempt
	if err := json.Unmarshal(plain, &a); err != nil {
		return attempt{}, err
	}
	if !s.now().Before(a.Until) {
		return attempt{}, errors.New("the sign-in was begun too long ago")
	}
	return a, nil
}
