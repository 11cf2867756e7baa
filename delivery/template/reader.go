package template

import (
	"fmt"
	"math"
	"strings"
)

// A reader parses the JSON object with the variables of an event. It is strict about
// structure and lenient about characters: stored values must render.
type reader struct {
	text  string
	at    int
	plain bool // whether the current value is in compact form already
}

func (r *reader) fields() ([]field, error) {
	r.space()
	if r.peek() != '{' {
		return nil, r.wrong("an object is expected")
	}
	r.at++
	fields := make([]field, 0, min(64, strings.Count(r.text, ":")))
	err := r.list('}', func() error {
		name, err := r.key()
		if err != nil {
			return err
		}
		f, err := r.field()
		f.name = unescape(name)
		fields = append(fields, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.space()
	if r.at < len(r.text) {
		return nil, r.wrong("the end is expected")
	}
	return fields, nil
}

// field parses the value of a variable.
func (r *reader) field() (field, error) {
	start := r.at
	r.plain = true
	if err := r.value(MaxDepth); err != nil {
		return field{}, err
	}
	written := r.text[start:r.at]
	switch written[0] {
	case '"':
		return field{text: unescape(written[1 : len(written)-1])}, nil
	case 'n':
		return field{null: true}, nil
	case '{', '[':
		if !r.plain {
			written = compact(written)
		}
	}
	return field{text: written, json: true}, nil
}

// value consumes the value at r.at.
func (r *reader) value(depth int) error {
	switch c := r.peek(); c {
	case '{', '[':
		return r.nested(c, depth)
	case '"':
		return r.quoted()
	case 't', 'f', 'n':
		for _, word := range [...]string{"true", "false", "null"} {
			if strings.HasPrefix(r.text[r.at:], word) {
				r.at += len(word)
				return nil
			}
		}
	default:
		if end, ok := scanNumber(r.text, r.at); ok {
			r.at = end
			return nil
		}
	}
	return r.wrong("a value is expected")
}

func (r *reader) nested(opening byte, depth int) error {
	if depth == 0 {
		return r.wrong("there are too many levels")
	}
	r.at++
	if opening == '[' {
		return r.list(']', func() error { return r.value(depth - 1) })
	}
	return r.list('}', func() error {
		if _, err := r.key(); err != nil {
			return err
		}
		return r.value(depth - 1)
	})
}

// list parses elements up to the closing bracket.
func (r *reader) list(closing byte, element func() error) error {
	r.space()
	if r.peek() == closing {
		r.at++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		r.space()
		switch r.peek() {
		case closing:
			r.at++
			return nil
		case ',':
			r.at++
			r.space()
		default:
			return r.wrong("a comma or a closing bracket is expected")
		}
	}
}

// key parses a key and its colon, and returns the key without quotes.
func (r *reader) key() (string, error) {
	start := r.at
	if r.peek() != '"' {
		return "", r.wrong("a key is expected")
	}
	if err := r.quoted(); err != nil {
		return "", err
	}
	name := r.text[start+1 : r.at-1]
	r.space()
	if r.peek() != ':' {
		return "", r.wrong("a colon is expected")
	}
	r.at++
	r.space()
	return name, nil
}

// quoted consumes the string at r.at.
func (r *reader) quoted() error {
	start := r.at
	for r.at++; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			if written := r.text[start:r.at]; r.plain && clean(written) != written {
				r.plain = false
			}
			r.at++
			return nil
		case c < ' ':
			return r.wrong("a control character is not escaped")
		case c == '\\':
			r.plain = false
			if _, ok := hex4(r.text[r.at:]); !ok && !isShortEscape(r.text[r.at:]) {
				return r.wrong("invalid escape")
			}
			r.at++
		}
	}
	return r.wrong("a closing quote is expected")
}

func isShortEscape(text string) bool {
	return len(text) > 1 && strings.IndexByte(`"\/bfnrt`, text[1]) >= 0
}

func (r *reader) space() {
	for r.at < len(r.text) && isSpace(r.text[r.at]) {
		r.at++
		r.plain = false
	}
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

func (r *reader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *reader) wrong(what string) error {
	return fmt.Errorf("offset %d: %s", r.at, what)
}

// compact returns valid JSON without white space and with minimal escaping.
func compact(json string) string {
	out := make([]byte, 0, len(json))
	for i := 0; i < len(json); {
		switch c := json[i]; {
		case isSpace(c):
			i++
		case c == '"':
			end := quoteEnd(json, i)
			out = append(out, '"')
			out = appendEscaped(out, unescape(json[i+1:end]), minimalLow, minimalHigh, math.MaxInt)
			out = append(out, '"')
			i = end + 1
		default:
			out = append(out, c)
			i++
		}
	}
	return string(out)
}

// quoteEnd returns the offset of the quote that closes the string at i.
func quoteEnd(json string, i int) int {
	for i++; json[i] != '"'; i++ {
		if json[i] == '\\' {
			i++
		}
	}
	return i
}
