package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// An attempt is the state of one sign-in. It is kept, sealed, in a cookie: a
// callback is accepted only in the browser that started the sign-in.
type attempt struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"` // of PKCE
	Return   string    `json:"r"` // path to redirect to afterwards
	Until    time.Time `json:"u"`
}

// attemptAAD prevents a sealed attempt from being accepted as anything else.
var attemptAAD = []byte("sign-in attempt")

func (s *SignIn) seal(a attempt) string {
	plain, err := json.Marshal(a)
	if err != nil {
		return "" // unreachable: every field can be marshaled
	}
	return base64.RawURLEncoding.EncodeToString(s.o.Sealer.Seal(plain, attemptAAD))
}

// attempt returns the sign-in that r's browser has started.
func (s *SignIn) attempt(r *http.Request) (attempt, error) {
	cookies := r.CookiesNamed(stateCookie)
	if len(cookies) != 1 {
		return attempt{}, errors.New("no sign-in was started in this browser")
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
		return attempt{}, errors.New("the sign-in was started too long ago")
	}
	return a, nil
}
