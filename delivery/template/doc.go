// Package template compiles the JSON message templates of webhooks and fills
// them with an event's values.
//
// A template is one strict JSON document. Inside its string values, and only
// there, variables are replaced by text that is escaped for JSON, so that no
// value can change the document's shape:
//
//	{"text": "Alert #alert_name on #workspace_name", "priority": 3}
//
// # Variables
//
// A plain variable is "#" and the longest known name that follows it. A "#"
// that starts no known name is text. The escape is \u0023: a variable is
// recognised only as written, never after unescaping. Keys are never expanded
// and values are never scanned again. A string yields its text, a number its
// digits, true and false their words, null or an absent value nothing, an array
// or object its compact JSON text.
//
// # The extended form
//
// "#{name}" is "#name" with an unmistakable end. It takes filters, applied from
// left to right:
//
//	#{name|trunc:130}        at most 130 characters, cut between graphemes
//	#{name|default:\"–\"}    the text to use when there is none
//	#{name|upper}  |lower    in capitals, in small letters
//	#{name|slack}            & < > as entities, for Slack's markup
//	#{name|markdown}         Markdown's control characters escaped
//	#{name|urlquery}         escaped for a URL's query
//	#{name|date:\"15:04\"}   a time in Go's layout and the webhook's time zone
//	#{name|raw}              the JSON value itself, in place of the string
//
// Everything of the form is recognised as written except the text of a quoted
// argument. Because the form stands inside a JSON string, the two quotes around
// an argument are written \" there. Between them the escapes of JSON work as
// anywhere (\n, \u2013), a quote is written \\\" or \u0022, and a backslash
// \\\\ or \u005c.
//
// The filter raw must be the last one and the form the whole string. It inserts
// a number, boolean, array or object as it is, null for null or nothing, and a
// string for text. A value that another filter has changed is text.
//
// # Promises
//
// The output is the template's own bytes with the variables replaced: key
// order, spacing and the spelling of numbers stay. Rendering is a pure function
// of the template, the values and the time zone, so every retry of a delivery
// sends the same bytes; testdata/golden.json pins them. A message longer than
// the limit is given up while it is being built.
//
// # Files
//
//	compile.go form.go filter.go   source to Template
//	parse.go parse_text.go         strict JSON with advice for what is not
//	vocabulary.go problem.go       names, suggestions, what is reported
//	values.go reader.go            an event's values
//	render.go escape.go            Template and Values to a message
//	canonical.go                   one spelling for equal templates
package template
