package egress

import (
	"strings"
	"unicode/utf8"
)

// checkName refuses ambiguous host names: old spellings of IPv4
// addresses, which some resolvers read as numbers, and letters that look like
// digits or dots.
func checkName(host string) error {
	if strings.ContainsFunc(host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return &URLError{URLHost, `Write an international host name in its ASCII form, which starts with "xn--".`}
	}
	name := strings.TrimSuffix(host, ".")
	if name == "" || len(name) > 253 {
		return &URLError{URLHost, "The host name must have 1 to 253 characters."}
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return &URLError{
				URLHost,
				"The host name may contain letters, digits, dots and hyphens only, as in hooks.example.com.",
			}
		}
	}
	if isNumber(labels[len(labels)-1]) {
		return &URLError{URLHost, "Write an IPv4 address as four decimal numbers, as in 203.0.113.7."}
	}
	return nil
}

// isLabel accepts the underscore because real names of internal hosts have it.
func isLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i]
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// isNumber reports whether a host whose last label is label would be read as
// an IPv4 address by browsers and C libraries: decimal, octal or hexadecimal.
func isNumber(label string) bool {
	if len(label) >= 2 && label[0] == '0' && label[1]|0x20 == 'x' {
		return strings.Trim(label[2:], "0123456789abcdefABCDEF") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

func isLocalhost(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
