package egress

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxURL is the longest URL accepted, in bytes.
const MaxURL = 2048

// A URLReason says what is wrong with a URL.
type URLReason string

// The reasons for which ValidateURL refuses a URL.
const (
	URLEmpty      URLReason = "EMPTY"
	URLTooLong    URLReason = "TOO_LONG"
	URLCharacters URLReason = "CHARACTERS" // spaces, control characters, backslashes, broken UTF-8
	URLFragment   URLReason = "FRAGMENT"   // a "#", mostly an attempt to use a variable
	URLMalformed  URLReason = "MALFORMED"
	URLScheme     URLReason = "SCHEME"
	URLUserinfo   URLReason = "USERINFO"
	URLHost       URLReason = "HOST"
	URLPort       URLReason = "PORT"
	URLAddress    URLReason = "ADDRESS" // an address that the policy closes
)

// A URLError says why a URL can't be a target.
type URLError struct {
	Reason  URLReason
	Message string // a sentence that says what to do, safe to show to a person
}

func (e *URLError) Error() string { return e.Message }

func (g *guard) validate(raw string) (*url.URL, error) {
	if err := checkText(raw); err != nil {
		return nil, err
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The parser's own error quotes the URL, which may hold a secret.
		return nil, &URLError{
			URLMalformed,
			"This is not a valid URL. Check the host name, the port and any % signs.",
		}
	}
	if err := g.checkScheme(u); err != nil {
		return nil, err
	}
	if u.User != nil {
		return nil, &URLError{
			URLUserinfo,
			"The URL must not contain a user name or password. Send them in a secret header named Authorization.",
		}
	}
	if err := g.checkPort(u); err != nil {
		return nil, err
	}
	if err := g.checkHost(u); err != nil {
		return nil, err
	}
	return u, nil
}

// checkText refuses text that two parsers could read differently.
func checkText(raw string) error {
	switch {
	case raw == "":
		return &URLError{URLEmpty, "Enter the URL to call."}
	case len(raw) > MaxURL:
		return &URLError{URLTooLong, "The URL is longer than " + strconv.Itoa(MaxURL) + " bytes."}
	case !utf8.ValidString(raw) || strings.ContainsFunc(raw, forbidden):
		return &URLError{
			URLCharacters,
			"The URL contains a space, a backslash or an invisible character. Remove it or write it %-encoded.",
		}
	case strings.Contains(raw, "#"):
		return &URLError{
			URLFragment,
			`The URL must not contain "#". Variables can be used in the message only, not in the URL.`,
		}
	}
	return nil
}

func forbidden(r rune) bool {
	switch {
	case r <= ' ', r == '\\', r == 0x7f:
		return true
	case r < utf8.RuneSelf:
		return false
	}
	// C1 controls, line separators, zero-width and direction marks, and the
	// byte order mark: nothing that a person could see.
	return r <= 0xa0 || r >= 0x2000 && r <= 0x200f || r >= 0x2028 && r <= 0x202f ||
		r >= 0x205f && r <= 0x206f || r == 0x3000 || r == 0xfeff || r == utf8.RuneError
}

func (g *guard) checkScheme(u *url.URL) error {
	switch {
	case u.Scheme == "https", u.Scheme == "http" && g.policy.AllowHTTP:
	case u.Scheme == "http":
		return &URLError{URLScheme, "The URL must start with https://. Plain http is not allowed on this server."}
	default:
		return &URLError{URLScheme, "The URL must start with https://."}
	}
	if u.Opaque != "" || u.Host == "" {
		return &URLError{URLHost, "The URL must name a host after https://."}
	}
	return nil
}

func (g *guard) checkPort(u *url.URL) error {
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return &URLError{URLPort, `The URL has a ":" but no port number after the host.`}
		}
		port = defaultPort(u.Scheme)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return &URLError{URLPort, "The port must be a number from 1 to 65535."}
	}
	if !g.allowsPort(uint16(n)) {
		return &URLError{URLPort, "Port " + port + " is not allowed. Allowed ports: " + ports(g.policy.Ports) + "."}
	}
	return nil
}

func (g *guard) checkHost(u *url.URL) error {
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return &URLError{URLHost, "The address in brackets must be an IPv6 address without a zone."}
		}
		return g.checkLiteral(addr)
	}
	if addr, err := netip.ParseAddr(strings.TrimSuffix(host, ".")); err == nil {
		return g.checkLiteral(addr)
	}
	if err := checkName(host); err != nil {
		return err
	}
	if isLocalhost(host) {
		return g.checkLiteral(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	return nil
}

func (g *guard) checkLiteral(addr netip.Addr) error {
	if !g.allowsAddr(addr) {
		return &URLError{
			URLAddress,
			"This address is not allowed. Use an address that can be reached from the internet.",
		}
	}
	return nil
}

// Normalize returns a spelling of u that is equal for all URLs of the same
// endpoint. The path and the query keep their case.
func Normalize(u *url.URL) string {
	n := origin(u)
	n.Path, n.RawPath, n.RawQuery = u.Path, u.RawPath, u.RawQuery
	if n.Path == "" {
		n.Path = "/"
	}
	return n.String()
}

// Origin returns a spelling of u's scheme, host and port that is equal for all
// URLs of the same server.
func Origin(u *url.URL) string {
	n := origin(u)
	return n.String()
}

func origin(u *url.URL) url.URL {
	n := url.URL{Scheme: strings.ToLower(u.Scheme)}
	n.Host = strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if addr, err := netip.ParseAddr(n.Host); err == nil && addr.Is6() {
		n.Host = "[" + addr.String() + "]"
	}
	if port := strings.TrimLeft(u.Port(), "0"); port != "" && port != defaultPort(n.Scheme) {
		n.Host += ":" + port
	}
	return n
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

func ports(list []uint16) string {
	text := make([]string, len(list))
	for i, port := range list {
		text[i] = strconv.Itoa(int(port))
	}
	return strings.Join(text, ", ")
}
