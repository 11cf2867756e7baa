package delivery

import (
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what Portal reports.
const (
	MaxReports    = 1_000    // in one call
	MaxWorkspaces = 25_000   // devices in one report
	MaxChanges    = 1_000    // changed properties of one object
	MaxIDLength   = 256      // characters
	MaxNameLength = 1_000    // characters
	MaxTextSize   = 64 << 10 // bytes of any other text
	maxViewURL    = 2 << 10
)

// A Checker collects what is wrong with one input. To keep the answer readable
// it stops listing after MaxErrors.
type Checker struct{ Errors Errors }

// MaxErrors is how many errors a Checker lists.
const MaxErrors = 50

// Fail adds an error, up to MaxErrors.
func (c *Checker) Fail(code Code, field, format string, args ...any) {
	if len(c.Errors) < MaxErrors {
		c.Errors = append(c.Errors, Errorf(code, field, format, args...))
	}
}

// ID checks an identifier that must be there.
func (c *Checker) ID(field, id string) {
	if id == "" {
		c.Fail(Required, field, "Give %s.", lastOf(field))
		return
	}
	c.OptionalID(field, id)
}

// OptionalID checks an identifier that may be empty.
func (c *Checker) OptionalID(field, id string) {
	switch {
	case !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl):
		c.Fail(Invalid, field, "An id must not contain control characters.")
	case utf8.RuneCountInString(id) > MaxIDLength:
		c.Fail(Invalid, field, "An id has at most %d characters.", MaxIDLength)
	}
}

// Name checks a name.
func (c *Checker) Name(field, name string) {
	if utf8.RuneCountInString(name) > MaxNameLength {
		c.Fail(Invalid, field, "A name has at most %d characters.", MaxNameLength)
	}
}

// Text checks a text.
func (c *Checker) Text(field, text string) {
	if len(text) > MaxTextSize {
		c.Fail(Invalid, field, "A text has at most %d KiB.", MaxTextSize>>10)
	}
}

// UnreadableTime stands for a time that was given but could not be read. A Checker
// fails it.
var UnreadableTime = time.Date(20_000, time.January, 1, 0, 0, 0, 0, time.UTC)

// Time checks a time that must be there.
func (c *Checker) Time(field string, at time.Time) {
	if at.IsZero() {
		c.Fail(Required, field, "Give %s.", lastOf(field))
		return
	}
	c.OptionalTime(field, at)
}

// OptionalTime checks a time that may be zero.
func (c *Checker) OptionalTime(field string, at time.Time) {
	switch year := at.UTC().Year(); {
	case at.IsZero():
	case at.Equal(UnreadableTime):
		c.Fail(Invalid, field, `Give an existing time in RFC 3339, such as "2026-01-14T09:31:07Z".`)
	case year < 1 || year > 9999:
		c.Fail(Invalid, field, "The year must be from 1 to 9999.")
	}
}

// ViewURL checks a link that the console will show.
func (c *Checker) ViewURL(field, link string) {
	if link == "" {
		return
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(link) > maxViewURL ||
		!Storable(link) {
		c.Fail(Invalid, field, "The link must be an absolute http or https URL of at most %d bytes.", maxViewURL)
	}
}

// lastOf names a field in a sentence by the last part of its path.
func lastOf(field string) string { return field[strings.LastIndexByte(field, '.')+1:] }

// Item checks what a report says about an item.
func (c *Checker) Item(path string, i *ReportedItem) {
	c.ID(path+".id", i.ID)
	c.Name(path+".name", i.Name)
	c.ViewURL(path+".viewUrl", i.ViewURL)
}
