package template

import "strings"

// Limits of a template's source.
const (
	MaxTemplate = 64 << 10 // bytes, without a byte order mark
	MaxDepth    = 64       // objects and arrays inside one another
)

type kind byte

const (
	kindBroken kind = iota // not a value; reported
	kindObject
	kindArray
	kindText
	kindNumber
	kindWord // true, false or null
)

// A node is one JSON value of the source, source[start:end].
type node struct {
	kind       kind
	start, end int
	members    []member // of an object
	items      []node   // of an array
}

type member struct {
	key   node
	name  string // the key, unescaped
	value node
}

// A parser parses one JSON document and reports its syntax errors. It continues
// after errors whose extent is clear and stops at others.
type parser struct {
	source  string
	at      int
	depth   int
	stopped bool
	last    node // the last string value, to explain an error after it
	*findings
}

// parse returns the syntax tree, which is complete if f has no error.
func parse(source string, f *findings) node {
	if len(source) > MaxTemplate {
		f.fail(0, CodeTooLong, "The template has %d bytes; at most %d are allowed. Shorten it.",
			len(source), MaxTemplate)
		return node{}
	}
	p := &parser{source: source, findings: f}
	p.space()
	if p.at == len(source) {
		f.fail(0, CodeEmpty, `The template is empty. Write a JSON document such as {"message": "#event_type"}.`)
		return node{}
	}
	root := p.value()
	p.space()
	if !p.stopped && p.at < len(source) {
		p.stop(p.at, CodeSyntax,
			"The JSON document ends before %s. Remove the rest, or check the brackets.", shown(p.rest()))
	}
	return root
}

// value parses the value at p.at, which is not white space.
func (p *parser) value() node {
	switch c := p.peek(); {
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '"':
		p.last = p.text()
		return p.last
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	return p.word()
}

func (p *parser) object() node {
	n := node{kind: kindObject, start: p.at}
	if !p.enter() {
		return node{}
	}
	seen := make(map[string]int) // offset of each key
	for more := p.first('}'); more && !p.stopped; more = p.next('}', n.start) {
		m := member{key: p.key()}
		if p.stopped {
			break
		}
		if m.key.kind == kindText {
			m.name = decode(p.source[m.key.start+1 : m.key.end-1])
			p.checkKey(m, seen)
		}
		if p.colon() {
			m.value = p.value()
		}
		n.members = append(n.members, m)
	}
	p.depth--
	n.end = p.at
	return n
}

func (p *parser) array() node {
	n := node{kind: kindArray, start: p.at}
	if !p.enter() {
		return node{}
	}
	for more := p.first(']'); more && !p.stopped; more = p.next(']', n.start) {
		n.items = append(n.items, p.value())
	}
	p.depth--
	n.end = p.at
	return n
}

// enter consumes the opening bracket of an object or array.
func (p *parser) enter() bool {
	if p.depth == MaxDepth {
		p.stop(p.at, CodeTooDeep,
			"Objects and arrays are nested more than %d deep here. Make the template flatter.", MaxDepth)
		return false
	}
	p.depth++
	p.at++
	p.space()
	return true
}

// first reports whether an object or array has an element, and consumes its closing
// bracket if not.
func (p *parser) first(closing byte) bool {
	if p.peek() != closing {
		return true
	}
	p.at++
	return false
}

// next consumes the separator or closing bracket after an element and reports
// whether another element follows.
func (p *parser) next(closing byte, opened int) bool {
	if p.stopped {
		return false
	}
	end := p.at
	p.space()
	switch c := p.peek(); {
	case c == closing:
		p.at++
		return false
	case c == ',':
		return p.comma(closing)
	case p.at == len(p.source):
		p.stop(opened, CodeUnclosed, "This %q has no closing %q. Add it.", p.source[opened], closing)
	case p.last.end == end && openForm(p.source[p.last.start:end]):
		// An unescaped quote has ended the string inside a #{…}: the compiler reports
		// it with a better message and position.
		p.stopped = true
	case c == '"':
		p.fail(p.at, CodeMissingComma,
			`A comma is missing before this quote. If the quote is part of the text, write \".`)
		return true
	default:
		p.unexpected(closing)
	}
	return false
}

func (p *parser) comma(closing byte) bool {
	comma := p.at
	p.at++
	p.space()
	if p.peek() == closing {
		p.fail(comma, CodeTrailingComma, "Nothing follows this comma. Remove it.")
		p.at++
		return false
	}
	return true
}

// colon consumes the colon between a key and its value.
func (p *parser) colon() bool {
	p.space()
	if p.peek() != ':' {
		p.stop(p.at, CodeSyntax, `A colon is missing here. A key and its value are written "key": "value".`)
		return false
	}
	p.at++
	p.space()
	return true
}

// checkKey reports a duplicate key.
func (p *parser) checkKey(m member, seen map[string]int) {
	first, duplicate := seen[m.name]
	switch {
	case !duplicate:
		seen[m.name] = m.key.start
	case !p.full():
		line, _ := position(p.source, first)
		p.fail(m.key.start, CodeDuplicateKey,
			"The key %s is already in this object (line %d). Rename or remove one of the two.", shown(m.name), line)
	}
}

// space consumes white space and reports comments.
func (p *parser) space() {
	for p.at < len(p.source) {
		switch c := p.source[p.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			p.at++
		case strings.HasPrefix(p.rest(), "//"):
			p.comment("\n")
		case strings.HasPrefix(p.rest(), "/*"):
			p.comment("*/")
		default:
			return
		}
	}
}

func (p *parser) comment(end string) {
	p.fail(p.at, CodeComment, "JSON has no comments. Remove this one.")
	_, after, found := strings.Cut(p.source[p.at+2:], end)
	if !found {
		after = ""
	}
	p.at = len(p.source) - len(after)
}

// stop reports an error after which parsing cannot continue.
func (p *parser) stop(at int, code Code, format string, args ...any) {
	p.fail(at, code, format, args...)
	p.stopped = true
}

// peek returns the byte at p.at, or 0 at the end.
func (p *parser) peek() byte {
	if p.at < len(p.source) {
		return p.source[p.at]
	}
	return 0
}

func (p *parser) rest() string { return p.source[p.at:] }

// take consumes and returns the bytes for which accept returns true.
func (p *parser) take(accept func(byte) bool) string {
	start := p.at
	for p.at < len(p.source) && accept(p.source[p.at]) {
		p.at++
	}
	return p.source[start:p.at]
}

// openForm reports whether a string, before unescaping, ends inside a #{….
func openForm(text string) bool {
	i := strings.LastIndex(text, "#{")
	return i >= 0 && !strings.Contains(text[i:], "}")
}
