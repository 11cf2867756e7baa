package signature

import (
	"crypto/hmac"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Tolerance is the accepted difference between a call's timestamp and the
// receiver's clock.
const Tolerance = 5 * time.Minute

// The errors of Verify.
var (
	ErrHeaders   = errors.New("webhook-id, webhook-timestamp or webhook-signature is missing or malformed")
	ErrTimestamp = errors.New("webhook-timestamp differs from the current time by more than five minutes")
	ErrSignature = errors.New("no signature matches")
)

// maxSignatures bounds the signatures that are compared, so that a long header does
// not make Verify expensive.
const maxSignatures = 16

// Verify returns nil if header has a v1 signature of body by any of the secrets and
// a timestamp within Tolerance of now, and ErrHeaders, ErrTimestamp or ErrSignature
// otherwise. Signatures of other versions are ignored.
func Verify(header http.Header, body []byte, now time.Time, secrets ...Secret) error {
	id, offered := header.Get(HeaderID), header.Get(HeaderSignature)
	seconds, err := strconv.ParseInt(header.Get(HeaderTimestamp), 10, 64)
	if err != nil || id == "" || offered == "" {
		return ErrHeaders
	}
	// Compared as integers: Sub overflows for a time far from now.
	limit := int64(Tolerance / time.Second)
	if seconds < now.Unix()-limit || seconds > now.Unix()+limit {
		return ErrTimestamp
	}
	for _, secret := range secrets {
		if len(secret) == 0 {
			continue // any client can sign with an empty key
		}
		want := appendSignature(nil, id, seconds, body, secret)
		if contains(offered, want) {
			return nil
		}
	}
	return ErrSignature
}

func contains(offered string, want []byte) bool {
	for range maxSignatures {
		one, rest, more := strings.Cut(offered, " ")
		if hmac.Equal([]byte(one), want) {
			return true
		}
		if !more {
			return false
		}
		offered = rest
	}
	return false
}
