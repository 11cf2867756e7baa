package template

import (
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A filter transforms text.
type filter func(text string) string

// maxLayout is the maximum length of the date filter's layout in bytes.
const maxLayout = 128

func filterNames() []string {
	return []string{"date", "default", "lower", "markdown", "raw", "slack", "trunc", "upper", "urlquery"}
}

// newFilter returns the named filter, which is at the given offset.
func newFilter(name string, at int, arg argument, zone *time.Location) (filter, *finding) {
	switch name {
	case "trunc":
		return newTrunc(arg)
	case "default":
		return newDefault(arg)
	case "date":
		return newDate(arg, zone)
	}
	var apply filter
	switch name {
	case "raw": // with an argument, which is rejected below
	case "upper":
		apply = strings.ToUpper
	case "lower":
		apply = strings.ToLower
	case "urlquery":
		apply = url.QueryEscape
	case "slack":
		apply = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	case "markdown":
		apply = markdown
	default:
		return nil, unknownFilter(name, at)
	}
	if arg.given {
		return nil, problem(arg.at, CodeBadArgument,
			"The filter %s takes no argument. Remove the colon and the argument.", name)
	}
	return apply, nil
}

func unknownFilter(name string, at int) *finding {
	if near := nearest(name, filterNames()); near != "" {
		return problem(at, CodeUnknownFilter, "There is no filter %s. Did you mean %s?", shown(name), near)
	}
	return problem(at, CodeUnknownFilter, "There is no filter %s. Use one of %s.", shown(name),
		strings.Join(filterNames(), ", "))
}

func newTrunc(arg argument) (filter, *finding) {
	n, err := strconv.ParseUint(arg.text, 10, 31)
	if err != nil || arg.quoted || n < 1 || n > MaxMessage {
		return nil, problem(arg.at, CodeBadArgument,
			"The filter trunc takes a number of characters from 1 to %d, without quotes: trunc:130.", MaxMessage)
	}
	return func(text string) string { return trunc(text, int(n)) }, nil
}

func newDefault(arg argument) (filter, *finding) {
	if !arg.quoted {
		return nil, problem(arg.at, CodeBadArgument,
			`The filter default takes a text in quotes, written \" here: default:\"none\".`)
	}
	return func(text string) string {
		if text == "" {
			return arg.text
		}
		return text
	}, nil
}

func newDate(arg argument, zone *time.Location) (filter, *finding) {
	if !arg.quoted || len(arg.text) > maxLayout || !isLayout(arg.text) {
		return nil, problem(arg.at, CodeBadArgument, "The filter date takes a layout of at most %d bytes that "+
			`shows how to write Mon, 2 January 2006 15:04:05: date:\"2006-01-02 15:04\".`, maxLayout)
	}
	return func(text string) string {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return text
		}
		return t.In(zone).Format(arg.text)
	}, nil
}

// isLayout reports whether a layout depends on the time: yyyy-MM-dd, the notation of
// other systems, does not.
func isLayout(layout string) bool {
	one := time.Date(2001, 2, 3, 4, 5, 6, 7e8, time.UTC)
	other := time.Date(2012, 11, 28, 21, 47, 59, 123456789, time.FixedZone("X", 3600))
	return one.Format(layout) != other.Format(layout)
}

// markdown escapes Markdown's markup. Characters that are markup only at the start
// of a line are not escaped elsewhere, so that most device names are unchanged.
func markdown(text string) string {
	var out strings.Builder
	start := true   // only blanks since the start of the line
	digits := false // only blanks, then digits
	for i := range len(text) {
		b := text[i]
		switch {
		case strings.IndexByte("\\`*_[]<>~|", b) >= 0,
			start && strings.IndexByte("#+-=", b) >= 0,
			digits && (b == '.' || b == ')'):
			out.WriteByte('\\')
		}
		out.WriteByte(b)
		digits = b >= '0' && b <= '9' && (start || digits)
		start = b == '\n' || b == '\r' || start && (b == ' ' || b == '\t')
	}
	return out.String()
}

// trunc returns at most n characters of text. It cuts between graphemes, except
// within one that starts the text or is longer than the window of boundary.
func trunc(text string, n int) string {
	if len(text) <= n {
		return text
	}
	cut := 0
	for range n {
		_, size := utf8.DecodeRuneInString(text[cut:])
		if cut += size; cut == len(text) {
			return text
		}
	}
	return text[:boundary(text, cut)]
}
