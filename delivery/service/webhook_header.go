package service

import (
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"portalhooks/delivery"
)

// Limits of a webhook's custom headers.
const (
	MaxHeaders     = 20
	MaxHeadersSize = 4 << 10 // bytes of all names and values
)

// A draftHeader is a custom header on its way to the store: its value is known,
// or else what is stored is kept.
type draftHeader struct {
	Name, Value string
	Secret      bool
	Kept        *delivery.StoredHeader
}

func storedHeaders(stored []delivery.StoredHeader) []draftHeader {
	headers := make([]draftHeader, len(stored))
	for i := range stored {
		headers[i] = draftHeader{Name: stored[i].Name, Secret: len(stored[i].Sealed) > 0, Kept: &stored[i]}
	}
	return headers
}

// forbiddenHeaders are the headers that the HTTP client or the signature sets.
var forbiddenHeaders = map[string]bool{
	"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Te": true,
	"Trailer": true, "Upgrade": true, "Expect": true, "Keep-Alive": true,
}

// headers checks custom headers; a value that is not given is the stored one.
func (c *checker) headers(stored []delivery.StoredHeader, in []HeaderInput) []draftHeader {
	if len(in) > MaxHeaders {
		c.Fail(delivery.LimitExceeded, "headers", "A webhook has at most %d headers.", MaxHeaders)
		return nil
	}
	headers := make([]draftHeader, 0, len(in))
	seen := make(map[string]bool, len(in))
	size := 0
	for i, h := range in {
		path := fmt.Sprintf("headers.%d.", i)
		name := http.CanonicalHeaderKey(h.Name)
		c.headerName(path+"name", name)
		if seen[name] {
			c.Fail(delivery.Invalid, path+"name", "The header %s is there twice. Join its values with a comma.", name)
		}
		seen[name] = true
		d := draftHeader{Name: name, Secret: h.Secret}
		if h.Value != nil {
			d.Value = strings.TrimSpace(*h.Value)
			c.headerValue(path+"value", d.Value)
		} else {
			d.Kept = c.keptHeader(path+"value", stored, d)
		}
		size += len(name) + len(d.Value)
		headers = append(headers, d)
	}
	if size > MaxHeadersSize {
		c.Fail(delivery.LimitExceeded, "headers", "All headers together have at most %d KiB.", MaxHeadersSize>>10)
	}
	return headers
}

func (c *checker) headerName(field, name string) {
	lower := strings.ToLower(name)
	switch {
	case name == "":
		c.Fail(delivery.Required, field, "Give the header a name.")
	case strings.ContainsFunc(name, func(r rune) bool { return !isToken(r) }):
		c.Fail(delivery.HeaderForbidden, field,
			"A header's name has letters, digits and - _ . ! # $ %% & ' * + ^ ` | ~ only.")
	case strings.HasPrefix(lower, "webhook-"):
		c.Fail(
			delivery.HeaderForbidden, field, "Names that start with webhook- are for the signature. Use another name.",
		)
	case forbiddenHeaders[http.CanonicalHeaderKey(name)] || strings.HasPrefix(lower, "proxy-"):
		c.Fail(delivery.HeaderForbidden, field, "The header %s is set by the sender itself. Remove it.", name)
	}
}

// isToken reports whether RFC 9110 allows r in a header's name.
func isToken(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

func (c *checker) headerValue(field, value string) {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		c.Fail(
			delivery.HeaderForbidden, field,
			"A header's value must not contain line breaks or other control characters.",
		)
	}
}

// keptHeader returns the stored header of that name, if it can stay as it is.
func (c *checker) keptHeader(
	field string, stored []delivery.StoredHeader, d draftHeader,
) *delivery.StoredHeader {
	for i := range stored {
		if stored[i].Name != d.Name {
			continue
		}
		if len(stored[i].Sealed) > 0 && !d.Secret {
			c.Fail(delivery.Required, field, "Enter the value again: a secret value can't be made visible.")
		}
		return &stored[i]
	}
	c.Fail(delivery.Required, field, "Give the header a value.")
	return nil
}

// enteredAgain refuses stored secret values: an admin who chooses another
// server for a webhook must know the secrets that the server gets.
func (c *checker) enteredAgain(headers []draftHeader) {
	for i, h := range headers {
		if h.Kept != nil && len(h.Kept.Sealed) > 0 {
			c.Fail(delivery.Required, fmt.Sprintf("headers.%d.value", i),
				"The target is on another server now. Enter the secret value of the header %s again.", h.Name)
		}
	}
}

// sealHeaders returns the headers as they are stored: secret values sealed for the
// webhook's place.
func (s *Service) sealHeaders(
	org delivery.OrgID, id delivery.WebhookID, headers []draftHeader,
) []delivery.StoredHeader {
	stored := make([]delivery.StoredHeader, len(headers))
	for i, h := range headers {
		value := h.Value
		if h.Kept != nil {
			if stored[i] = *h.Kept; !h.Secret || len(h.Kept.Sealed) > 0 {
				continue
			}
			value = h.Kept.Value
		}
		stored[i] = delivery.StoredHeader{Name: h.Name, Value: value}
		if h.Secret {
			sealed := s.opts.Keyring.Seal([]byte(value), delivery.FieldAAD(org, id, delivery.HeaderField(h.Name)))
			stored[i] = delivery.StoredHeader{Name: h.Name, Sealed: sealed}
		}
	}
	return stored
}

// header returns the headers of a call by a draft, secrets in the clear.
func (d *draft) header() http.Header {
	header := make(http.Header, len(d.Headers))
	for _, h := range d.Headers {
		header.Set(h.Name, h.Value)
	}
	return header
}
