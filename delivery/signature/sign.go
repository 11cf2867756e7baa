package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"
)

// The headers of a signed call, in the canonical form of http.Header.
const (
	HeaderID        = "Webhook-Id"        // the delivery's id, the same for every retry
	HeaderTimestamp = "Webhook-Timestamp" // the attempt's time in Unix seconds
	HeaderSignature = "Webhook-Signature" // the result of Sign
	HeaderAttempt   = "Webhook-Attempt"   // the attempt's number; not signed
)

// MaxSecrets is the maximum number of secrets that sign a call: the current one and
// two that are being retired.
const MaxSecrets = 3

const (
	version     = "v1,"
	encodedSize = (sha256.Size + 2) / 3 * 4
	fullSize    = len(version) + encodedSize
)

// Timestamp returns the value of HeaderTimestamp for an attempt made at at.
func Timestamp(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// Sign returns the value of HeaderSignature: one signature per secret, in the
// order given, separated by spaces. Secrets beyond MaxSecrets are ignored.
func Sign(id string, at time.Time, body []byte, secrets ...Secret) string {
	var signed [MaxSecrets*(fullSize+1) - 1]byte
	out := signed[:0]
	for i, secret := range secrets[:min(len(secrets), MaxSecrets)] {
		if i > 0 {
			out = append(out, ' ')
		}
		out = appendSignature(out, id, at.Unix(), body, secret)
	}
	return string(out)
}

func appendSignature(dst []byte, id string, seconds int64, body []byte, secret Secret) []byte {
	// One buffer holds the signed prefix and then the sum.
	buf := make([]byte, 0, max(len(id)+22, sha256.Size))
	buf = append(buf, id...)
	buf = append(buf, '.')
	buf = strconv.AppendInt(buf, seconds, 10)
	buf = append(buf, '.')

	mac := hmac.New(sha256.New, secret)
	mac.Write(buf)
	mac.Write(body)
	dst = append(dst, version...)
	return base64.StdEncoding.AppendEncode(dst, mac.Sum(buf[:0]))
}
