package signature

import (
	"crypto/hmac"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far a call's timestamp may be from the receiver's clock.
const Tolerance = 5 * time.Minute

// The errors of Verify.
var (
	ErrHeaders   = errors.New("webhook-id, webhook-timestamp or webhook-signature is missing or malformed")
	ErrTimestamp = errors.New("the webhook-timestamp is more than five minutes away from this clock")
	ErrSignature = errors.New("no signature matches")
)

// maxOffered bounds the signatures that are compared, so that a long header
// costs an attacker more than it costs us.
const maxOffered = 16

// Verify reports whether header carries a v1 signature of body by any of
// secrets, made within Tolerance of now. It returns ErrHeaders, ErrTimestamp
// or ErrSignature. Signatures of other versions are skipped.
func Verify(header http.Header, body []byte, now time.Time, secrets ...Secret) error {
	id, offered := header.Get(HeaderID), header.Get(HeaderSignature)
	seconds, err := strconv.ParseInt(header.Get(HeaderTimestamp), 10, 64)
	if err != nil || id == "" || offered == "" {
		return ErrHeaders
	}
	// Compared as integers: a time.Time far from now would overflow Sub.
	limit := int64(Tolerance / time.Second)
	if seconds < now.Unix()-limit || seconds > now.Unix()+limit {
		return ErrTimestamp
	}
	for _, secret := range secrets {
		if len(secret) == 0 {
			continue // an empty key is one that anybody can sign with
		}
		want := appendSignature(nil, id, seconds, body, secret)
		if contains(offered, want) {
			return nil
		}
	}
	return ErrSignature
}

func contains(offered string, want []byte) bool {
	for range maxOffered {
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
