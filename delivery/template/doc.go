// Package template compiles the JSON message templates of webhooks and renders them
// with the values of an event.
//
// A template is a strict JSON document. Variables in its string values, and only
// there, are replaced by text that is escaped for JSON, so that no value can change
// the structure of the document:
//
//	{"text": "Alert #alert_name on #workspace_name", "priority": 3}
//
// # Variables
//
// A plain variable is "#" followed by the longest known name. A "#" without a known
// name is text. The escape is \u0023: variables are recognized before unescaping
// only. Keys are never expanded, and inserted values are never scanned again. A
// string renders as its text, a number as its digits, true and false as these words,
// null and absent values as nothing, an array or object as compact JSON text.
//
// # The extended form
//
// "#{name}" is "#name" with an explicit end. It accepts filters, which are applied
// from left to right:
//
//	#{name|trunc:130}        at most 130 characters, cut between graphemes
//	#{name|default:\"–\"}    a replacement for empty text
//	#{name|upper}  |lower    upper case, lower case
//	#{name|slack}            & < > as entities, for Slack's markup
//	#{name|markdown}         Markdown's control characters escaped
//	#{name|urlquery}         escaped for the query of a URL
//	#{name|date:\"15:04\"}   a time in Go's layout and the webhook's time zone
//	#{name|raw}              the JSON value itself, instead of a string
//
// The form is recognized before unescaping, except for the text of a quoted
// argument. Because the form is inside a JSON string, the quotes around an argument
// are written \". Between them JSON's escapes work as usual (\n, \u2013), a quote is
// written \\\" or \u0022, and a backslash \\\\ or \u005c.
//
// The filter raw must be the last one, and its form must be the whole string. It
// inserts a number, boolean, array or object unchanged, null for null or an absent
// value, and a string for text. A value that another filter has changed is text.
//
// # Guarantees
//
// The output is the bytes of the template with its variables replaced: key order,
// white space and the spelling of numbers are kept. Rendering is a pure function of
// the template, the values and the time zone, so every retry of a delivery sends the
// same bytes; testdata/golden.json pins them. Rendering stops as soon as a message
// exceeds its limit.
//
// # Files
//
//	compile.go form.go filter.go   source to Template
//	parse.go parse_text.go         strict JSON parser with advice on errors
//	vocabulary.go problem.go       variable names, suggestions, problems
//	values.go reader.go            the values of an event
//	render.go escape.go            Template and Values to a message
//	canonical.go                   the canonical form of a template
package template
