package template

import "strings"

// Limits of a template's source.
const (
	MaxTemplate = 64 << 10 // bytes, without a byte order mark
	MaxDepth    = 64       // objects and arrays inside one another
)

type kind byte

const (
	kindBroken kind = iota // reported already, or not a value
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

// A parser reads one JSON document and reports all it can about what is not
// JSON. It goes on after mistakes whose extent is clear and stops at others.
type parser struct {
	source  string
	at      int
	depth   int
	stopped bool
	last    node // the string value read last, to explain what follows it
	*report
}

// parse returns the document's tree, which is complete when r has no error.
func parse(source string, r *report) node {
	if len(source) > MaxTemplate {
		r.fail(0, CodeTooLong, "The template has %d bytes; at most %d are allowed. Shorten it.",
			len(source), MaxTemplate)
		return node{}
	}
	p := &parser{source: source, report: r}
	p.space()
	if p.at == len(source) {
		r.fail(0, CodeEmpty, `The template is empty. Write a JSON document such as {"message": "#event_type"}.`)
		return node{}
	}
	root := p.value()
	p.space()
	if !p.stopped && p.at < len(source) {
		p.stop(p.at, CodeSyntax,
			"The JSON document ends before %s. Remove what follows it, or check the brackets.", shown(p.rest()))
	}
	return root
}

// value reads the value at p.at, which is not white space.
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
	firsts := make(map[string]int)
	for more := p.first('}'); more && !p.stopped; more = p.next('}', n.start) {
		m := member{key: p.key()}
		if p.stopped {
			break
		}
		if m.key.kind == kindText {
			m.name = decode(p.source[m.key.start+1 : m.key.end-1])
			p.checkKey(m, firsts)
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

// enter steps over the bracket that opens an object or array.
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

// first reports whether an object or array has any element.
func (p *parser) first(closing byte) bool {
	if p.peek() != closing {
		return true
	}
	p.at++
	return false
}

// next steps over what follows an element and reports whether another comes.
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
		// A quote that should have been escaped ended the string inside a
		// #{…}; the compiler explains that better, at the right place.
		p.stopped = true
	case c == '"':
		p.fail(p.at, CodeMissingComma,
			`A comma is missing before this quote. If the quote belongs to the text, write \".`)
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

// colon steps over the colon between a key and its value.
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

// checkKey refuses a key that its object has already.
func (p *parser) checkKey(m member, firsts map[string]int) {
	first, twice := firsts[m.name]
	switch {
	case !twice:
		firsts[m.name] = m.key.start
	case !p.full():
		line, _ := position(p.source, first)
		p.fail(m.key.start, CodeDuplicateKey,
			"The key %s is in this object already (line %d). Rename or remove one of the two.", shown(m.name), line)
	}
}

// space steps over white space and reports comments.
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

// stop reports an error after which the rest cannot be understood.
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

// take steps over the bytes that accept likes and returns them.
func (p *parser) take(accept func(byte) bool) string {
	start := p.at
	for p.at < len(p.source) && accept(p.source[p.at]) {
		p.at++
	}
	return p.source[start:p.at]
}

// openForm reports whether a string, as written, ends inside a #{….
func openForm(text string) bool {
	i := strings.LastIndex(text, "#{")
	return i >= 0 && !strings.Contains(text[i:], "}")
}
