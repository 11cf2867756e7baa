package egress

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter is the longest pause that a receiver can ask for.
const MaxRetryAfter = 24 * time.Hour

// ParseRetryAfter reads the value of a Retry-After header: seconds, whole or
// with a fraction, or an HTTP date. It reports false for anything else. The
// pause is never negative and never longer than MaxRetryAfter.
func ParseRetryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0, false
	}
	if isDigit(value[0]) {
		return parseSeconds(value)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter), true
}

func parseSeconds(value string) (time.Duration, bool) {
	whole, fraction, _ := strings.Cut(value, ".")
	if strings.Trim(whole, "0123456789") != "" || strings.Trim(fraction, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n >= int64(MaxRetryAfter/time.Second) {
		return MaxRetryAfter, true // a number too large for int64 is a long pause too
	}
	if strings.Trim(fraction, "0") != "" {
		n++ // never earlier than asked
	}
	return time.Duration(n) * time.Second, true
}
