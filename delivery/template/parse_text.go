package template

import (
	"strings"
	"unicode/utf8"
)

// text parses the string at p.at.
func (p *parser) text() node {
	start := p.at
	p.at++
	for p.at < len(p.source) {
		switch c := p.source[p.at]; {
		case c == '"':
			p.at++
			return node{kind: kindText, start: start, end: p.at}
		case c == '\\':
			p.escape()
		case c == '\n' || c == '\r':
			p.stop(p.at, CodeControlCharacter,
				`The line ends inside this text. Close its quote, or write the line break as \n.`)
			return node{}
		case c < ' ':
			p.fail(p.at, CodeControlCharacter,
				`Text must not contain the control character U+%04X. Write it as \u%04x (a tab as \t).`, c, c)
			p.at++
		case c >= utf8.RuneSelf:
			p.wide()
		default:
			p.at++
		}
	}
	p.stop(start, CodeUnclosed, "This text has no closing quote. Add it.")
	return node{}
}

// wide consumes one character that is not ASCII.
func (p *parser) wide() {
	r, size := utf8.DecodeRuneInString(p.rest())
	if r == utf8.RuneError && size == 1 {
		p.fail(p.at, CodeBadUTF8, "This byte is not UTF-8. Save the template in UTF-8 and paste it again.")
	}
	p.at += size
}

// escape consumes the escape at p.at, or only the backslash of an invalid one.
func (p *parser) escape() {
	rest := p.rest()
	if len(rest) > 1 && strings.IndexByte(`"\/bfnrt`, rest[1]) >= 0 {
		p.at += 2
		return
	}
	r, ok := hex4(rest)
	switch {
	case !ok:
		p.fail(p.at, CodeBadEscape,
			`This is not a valid JSON escape. Write a backslash as \\, a character by its number as \u00e9.`)
		p.at++
	case isSurrogate(r) && !isPair(rest):
		p.fail(p.at, CodeLoneSurrogate,
			`This escape is half of a surrogate pair. Write the character itself, or both halves.`)
		p.at += 6
	case isSurrogate(r):
		p.at += 12
	default:
		p.at += 6
	}
}

// key parses the key of an object.
func (p *parser) key() node {
	switch c := p.peek(); {
	case c == '"':
		return p.text()
	case c == '\'':
		return p.singleQuoted()
	case c == '#' || isNameByte(c):
		start := p.at
		p.at++
		p.take(isNameByte)
		p.fail(start, CodeUnquotedKey, `Put the key in double quotes: "%s".`, short(p.source[start:p.at]))
	case c == ',':
		p.stop(p.at, CodeSyntax, "A key and its value are missing before this comma. Remove the comma.")
	case p.at == len(p.source):
		p.stop(p.at, CodeUnclosed, `The template ends inside an object. Complete it, at least with "}".`)
	default:
		p.stop(p.at, CodeSyntax, `A key in double quotes is expected here, not %s.`, shown(p.character()))
	}
	return node{}
}

func (p *parser) number() node {
	start := p.at
	end, ok := scanNumber(p.source, start)
	written := p.take(isNumberByte)
	if ok && end == p.at {
		return node{kind: kindNumber, start: start, end: end}
	}
	if strings.Contains(written, "Inf") {
		p.fail(start, CodeBadLiteral, "JSON has no %s. Write a number, null or a text in quotes.", shown(written))
		return node{}
	}
	p.badNumber(start, written)
	return node{}
}

// isNumberByte accepts more than numbers, so that messages show an invalid one whole.
func isNumberByte(b byte) bool { return isNameByte(b) || b == '+' || b == '-' || b == '.' }

func (p *parser) badNumber(start int, written string) {
	p.fail(start, CodeBadNumber,
		"%s is not a valid JSON number (no leading zero or plus sign, digits on both sides of the point). "+
			"Correct it, or put it in quotes if it is text.", shown(written))
}

// word parses true, false or null, and reports anything else that does not start a
// value.
func (p *parser) word() node {
	start := p.at
	switch c := p.peek(); {
	case c == '#':
		p.bareVariable()
	case c == '\'':
		p.singleQuoted()
	case c == '+' || c == '.':
		p.badNumber(start, p.take(isNumberByte))
	case isNameByte(c):
		written := p.take(isNameByte)
		if written == "true" || written == "false" || written == "null" {
			return node{kind: kindWord, start: start, end: p.at}
		}
		p.fail(start, CodeBadLiteral, "%s is not a JSON value. %s", shown(written), literalAdvice(written))
	case c == ',' || c == '}' || c == ']':
		p.fail(start, CodeSyntax, "A value is missing before this %q. Write one, for example \"\" or null.", c)
	case start == len(p.source):
		p.stop(start, CodeUnclosed,
			"The template ends where a value is expected. Add the value and the closing brackets.")
	default:
		p.unexpected(0)
	}
	return node{}
}

func literalAdvice(word string) string {
	switch lower := strings.ToLower(word); lower {
	case "true", "false", "null":
		return "Write it in lower case: " + lower + "."
	case "none", "undefined", "nil":
		return "Write null."
	case "nan", "infinity", "inf":
		return "Write a number or null."
	}
	return "Put text in double quotes."
}

// bareVariable reports and consumes a variable outside quotes.
func (p *parser) bareVariable() {
	start := p.at
	p.at++
	if p.peek() == '{' {
		_, after, _ := strings.Cut(p.rest(), "}")
		p.at = len(p.source) - len(after)
	} else {
		p.take(isNameByte)
	}
	p.fail(start, CodeUnquotedVariable, `A variable must be inside a string. Put the variable in quotes: "%s".`,
		short(p.source[start:p.at]))
}

// singleQuoted reports and consumes a text in single quotes.
func (p *parser) singleQuoted() node {
	start := p.at
	n := strings.IndexAny(p.rest()[1:], "'\n")
	if n < 0 || p.rest()[1+n] != '\'' {
		p.stop(start, CodeSingleQuotes, `JSON has no single quotes. Use double quotes: "…".`)
		return node{}
	}
	p.at += n + 2
	p.fail(start, CodeSingleQuotes, `JSON has no single quotes. Use double quotes: "%s".`,
		short(p.source[start+1:p.at-1]))
	return node{}
}

// unexpected reports an invalid character at p.at. Closing is the bracket that was
// expected there, or 0 if it was a value.
func (p *parser) unexpected(closing byte) {
	c := p.character()
	switch {
	case strings.ContainsAny(c, "“”„«»‘’"):
		p.stop(p.at, CodeSyntax, `%s is not a JSON quote. Use the plain double quote: "…".`, shown(c))
	case c == "\u00a0" || c == "\u200b" || c == "\ufeff":
		p.stop(p.at, CodeSyntax, "There is an invisible character U+%04X here. Remove it, or write a plain space.",
			[]rune(c)[0])
	case closing != 0:
		p.stop(p.at, CodeSyntax, `A comma or %q is expected here, not %s. If the text before contains quotes, `+
			`write them as \".`, closing, shown(c))
	default:
		p.stop(p.at, CodeSyntax, "A value is expected here, not %s. Put text in double quotes.", shown(c))
	}
}

// character returns the character at p.at, or "" at the end.
func (p *parser) character() string {
	_, size := utf8.DecodeRuneInString(p.rest())
	return p.rest()[:size]
}
