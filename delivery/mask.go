package delivery

import (
	"net/url"
	"strings"
)

// bearerHosts are the receivers whose URLs are secrets by themselves. A dot in
// front stands for any subdomain.
var bearerHosts = []struct{ host, path string }{
	{"hooks.slack.com", "/"},
	{"hooks.slack-gov.com", "/"},
	{"discord.com", "/api/webhooks/"},
	{"discordapp.com", "/api/webhooks/"},
	{".webhook.office.com", "/"},
	{".logic.azure.com", "/"},
	{".powerplatform.com", "/"},
}

// MaskURL returns a target for showing and searching: its query values, and where
// the URL alone lets anyone post its path, are masked.
func MaskURL(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return Mask
	}
	masked := u.Scheme + "://" + u.Host + maskPath(u)
	if u.RawQuery == "" {
		return masked
	}
	pairs := strings.Split(u.RawQuery, "&")
	for i, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && value != "" {
			pairs[i] = name + "=" + Mask
		} else if !ok {
			pairs[i] = Mask // a bare word may be the secret itself
		}
	}
	return masked + "?" + strings.Join(pairs, "&")
}

func maskPath(u *url.URL) string {
	path := u.EscapedPath()
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	for _, bearer := range bearerHosts {
		if host != bearer.host && (bearer.host[0] != '.' || !strings.HasSuffix(host, bearer.host)) {
			continue
		}
		// discord.com also serves the versioned /api/v10/webhooks/: everything
		// but the start of the path may be the secret.
		if bearer.path == "/" || strings.HasPrefix(path, "/api/") {
			return bearer.path + Mask
		}
	}
	return path
}
