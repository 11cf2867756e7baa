package strict

import (
	"encoding/json"
	"strings"
)

// A Reader reads one JSON value from the front of a text. Once something is
// not as expected it has failed, and from then on everything that it returns
// is empty: it is enough to ask [Reader.Done] at the end.
//
// The texts that it returns are parts of the whole one and keep it in memory.
type Reader struct {
	text   string
	at     int
	failed bool
	opened bool // a list or an object, and nothing of it was read yet
}

// New returns a Reader of text, which is valid UTF-8.
func New(text string) *Reader { return &Reader{text: text} }

// Done reports whether all was as expected and nothing is left.
func (r *Reader) Done() bool { return r.peek() == 0 && r.at == len(r.text) && !r.failed }

// Fail makes the Reader fail.
func (r *Reader) Fail() {
	r.failed = true
	r.at = len(r.text)
}

// Object begins to read an object. Its members are read, each name and then
// its value, while [Reader.Member] is true.
func (r *Reader) Object() {
	r.expect('{')
	r.opened = true
}

// Member reports whether the object goes on, and reads the name of its next
// member. A name that is written with escapes is not expected.
func (r *Reader) Member() (name string, more bool) {
	if !r.goesOn('}') {
		return "", false
	}
	name, plain := r.quoted()
	if r.expect(':'); r.failed || !plain {
		r.Fail()
		return "", false
	}
	return name, true
}

// List begins to read a list. Its elements are read while [Reader.Element] is
// true.
func (r *Reader) List() {
	r.expect('[')
	r.opened = true
}

// Element reports whether the list goes on.
func (r *Reader) Element() bool { return r.goesOn(']') }

// goesOn takes the comma, or the end, of a list or an object.
func (r *Reader) goesOn(end byte) bool {
	first := r.opened
	r.opened = false
	if r.peek() == end {
		r.at++
		return false
	}
	if !first {
		r.expect(',')
	}
	return !r.failed
}

// Null takes a null, if there is one.
func (r *Reader) Null() bool {
	if r.peek() != 'n' {
		return false
	}
	return r.word("null")
}

// Bool reads true or false.
func (r *Reader) Bool() bool {
	if r.peek() == 't' {
		return r.word("true")
	}
	r.word("false")
	return false
}

// Text reads a string.
func (r *Reader) Text() string {
	raw, plain := r.quoted()
	if plain || r.failed {
		return raw
	}
	var text string
	if json.Unmarshal([]byte(`"`+raw+`"`), &text) != nil {
		r.Fail()
	}
	return text
}

// TextOrNull reads a string, or null as the empty one.
func (r *Reader) TextOrNull() string {
	if r.Null() {
		return ""
	}
	return r.Text()
}

// Raw skips a value that is an object or a list and returns its text. Of what
// is in it only the brackets were looked at.
func (r *Reader) Raw() string {
	first := r.peek()
	from, depth := r.at, 0
	if first != '{' && first != '[' {
		r.Fail()
	}
	for !r.failed && r.at < len(r.text) {
		switch r.text[r.at] {
		case '"':
			r.quoted()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if r.at++; depth == 0 {
			return r.text[from:r.at]
		}
	}
	r.Fail()
	return ""
}

// peek skips blanks and returns the next byte; 0 at the end.
func (r *Reader) peek() byte {
	for ; r.at < len(r.text); r.at++ {
		switch b := r.text[r.at]; b {
		case ' ', '\n', '\t', '\r':
		default:
			return b
		}
	}
	return 0
}

func (r *Reader) expect(b byte) {
	if r.peek() != b {
		r.Fail()
		return
	}
	r.at++
}

func (r *Reader) word(word string) bool {
	if !strings.HasPrefix(r.text[r.at:], word) {
		r.Fail()
		return false
	}
	r.at += len(word)
	return true
}

// quoted reads a string and returns it as it is written, without its quotes;
// plain says that there are no escapes in it.
func (r *Reader) quoted() (raw string, plain bool) {
	r.expect('"')
	plain = true
	for i := r.at; i < len(r.text); i++ {
		switch b := r.text[i]; {
		case b == '"':
			raw = r.text[r.at:i]
			r.at = i + 1
			return raw, plain
		case b == '\\':
			plain = false
			i++
		case b < ' ':
			r.Fail()
			return "", false
		}
	}
	r.Fail()
	return "", false
}
