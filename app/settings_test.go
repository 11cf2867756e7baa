package app

import (
	"strings"
	"testing"
)

// What no browser would send as the origin of a page is refused at the start, not
// found out when a page can't call.
func TestAllowedOriginsAreOrigins(t *testing.T) {
	t.Parallel()
	for origin, good := range map[string]bool{
		"https://admin.example.com":       true,
		"http://127.0.0.1:5173":           true,
		"https://admin.example.com/":      true,
		"*":                               false,
		"admin.example.com":               false,
		"https://admin.example.com/page":  false,
		"https://*.example.com":           false,
		"https://user@admin.example.com":  false,
		"chrome-extension://abcdefghijkl": false,
	} {
		err := modeSettings(func(c *Settings) { c.AllowedOrigins = []string{origin} }).check(t.Context())
		if good != (err == nil) || err != nil && !strings.Contains(err.Error(), "--allowed-origins") {
			t.Errorf("%s: %v", origin, err)
		}
	}
}
