package delivery

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"

	"portalhooks/delivery/egress"
	"portalhooks/delivery/template"
)

// ConfigurationFingerprint returns the fingerprint of what a webhook sends: two webhooks
// of an organization that have the same would send the same message for the
// same events to the same place. Name, status, headers and policy don't count.
func ConfigurationFingerprint(org OrgID, v *WebhookVersion) string {
	canonical, err := template.Canonical(v.Template)
	if err != nil {
		canonical = v.Template // was saved, so it is JSON; be strict all the same
	}
	selection := "all"
	if !v.Selection.All {
		ids := make([]string, len(v.Selection.Items))
		for i, id := range v.Selection.Items {
			ids[i] = id.String()
		}
		selection = strings.Join(ids, ",")
	}
	hash := sha256.New()
	for _, part := range []string{org.String(), string(v.Type), TargetPlace(v.Target), selection, canonical} {
		// The length in front keeps two lists of parts from reading the same.
		hash.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// TargetPlace is the normalised spelling of a target.
func TargetPlace(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	return egress.Normalize(u)
}

// SameServer reports whether two targets have the same scheme, host and port.
func SameServer(a, b string) bool {
	first, err := url.Parse(a)
	if err != nil {
		return false
	}
	second, err := url.Parse(b)
	return err == nil && egress.Origin(first) == egress.Origin(second)
}

// Overlaps reports whether some item may be selected by both.
func Overlaps(a, b Selection) bool {
	if a.All || b.All {
		return true
	}
	for i, j := 0, 0; i < len(a.Items) && j < len(b.Items); {
		switch {
		case a.Items[i] == b.Items[j]:
			return true
		case a.Items[i] < b.Items[j]:
			i++
		default:
			j++
		}
	}
	return false
}
