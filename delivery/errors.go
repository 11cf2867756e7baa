package delivery

import (
	"errors"
	"fmt"
	"strings"
)

// A Code says what kind of failure an Error is. Codes are part of the API:
// clients see them as userErrors' code or as extensions.code and may branch on
// them.
type Code string

// The codes that an Error can carry. Any other error is the server's own fault.
const (
	Required        Code = "REQUIRED"                // an input that must be there is missing or empty
	Invalid         Code = "INVALID"                 // the caller can fix the input
	NotFound        Code = "NOT_FOUND"               // no such thing that this caller may see
	Duplicate       Code = "DUPLICATE_CONFIGURATION" // another webhook has the same configuration
	Conflict        Code = "CONFLICT"                // it clashes with something that exists
	URLForbidden    Code = "URL_FORBIDDEN"           // the target URL is not allowed
	TemplateInvalid Code = "TEMPLATE_INVALID"        // the message template can't be used
	HeaderForbidden Code = "HEADER_FORBIDDEN"        // the header may not be set
	LimitExceeded   Code = "LIMIT_EXCEEDED"          // more than is allowed
	Unauthenticated Code = "UNAUTHENTICATED"         // the caller is not authenticated
	Forbidden       Code = "FORBIDDEN"               // the caller's role does not allow it
	Unavailable     Code = "UNAVAILABLE"             // the server can't do it now; try again
)

// An Error is a failure that its caller may be told about.
type Error struct {
	Code    Code
	Field   string    // path of the input at fault, such as "targetUrl" or "headers.0.name"; may be empty
	Message string    // full sentences, safe to show to a person, that say what to do
	Twin    WebhookID // with Duplicate: the webhook that has the same configuration
	Line    int       // with TemplateInvalid: 1-based position in the template; else 0
	Column  int       // counted in characters
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Errors are several failures of one call's input, told together.
type Errors []*Error

// Error joins the messages.
func (e Errors) Error() string {
	texts := make([]string, len(e))
	for i, one := range e {
		texts[i] = one.Message
	}
	return strings.Join(texts, " ")
}

// Unwrap gives errors.Is and errors.As the single failures.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// CodeOf returns the code of the first Error in err's tree, or "" when err is
// nil or private to the server.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// Errorf makes an Error with a formatted message.
func Errorf(code Code, field, format string, args ...any) *Error {
	return &Error{Code: code, Field: field, Message: fmt.Sprintf(format, args...)}
}
