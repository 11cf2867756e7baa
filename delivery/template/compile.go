package template

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// MaxUses is the maximum number of variable references in a template.
const MaxUses = 256

// byteOrderMark is removed from the start of a source.
const byteOrderMark = "\uFEFF"

// Options configure Compile. The zero value is ready for use.
type Options struct {
	TimeZone *time.Location // of the filter date; UTC if nil
}

// Compile checks the source of a template and prepares it for rendering. It returns
// up to MaxProblems problems in the order of the source. The template is nil if and
// only if one of them is an error.
func Compile(source string, v Vocabulary, o Options) (*Template, []Problem) {
	source = strings.TrimPrefix(source, byteOrderMark)
	if o.TimeZone == nil {
		o.TimeZone = time.UTC
	}
	c := &compiler{source: source, vocabulary: v, zone: o.TimeZone}
	root := parse(source, &c.findings)
	c.walk(root)
	problems := c.problems(source)
	if len(c.errors) > 0 {
		return nil, problems
	}
	return c.template(), problems
}

// A compiler splits a source into literal text and variables.
type compiler struct {
	findings
	source     string
	vocabulary Vocabulary
	zone       *time.Location
	parts      []part
	names      []string // of the variables, in the order of parts
	uses       int
	done       int // end of the last part
}

func (c *compiler) template() *Template {
	t := &Template{parts: c.parts, tail: c.source[c.done:], literal: len(c.source[c.done:])}
	t.names = slices.Compact(slices.Sorted(slices.Values(c.names)))
	for i := range t.parts {
		t.parts[i].slot, _ = slices.BinarySearch(t.names, c.names[i])
		t.literal += len(t.parts[i].before)
	}
	return t
}

// walk compiles every string value below n.
func (c *compiler) walk(n node) {
	switch n.kind {
	case kindObject:
		for _, m := range n.members {
			c.key(m.key)
			c.walk(m.value)
		}
	case kindArray:
		for _, item := range n.items {
			c.walk(item)
		}
	case kindText:
		c.text(n)
	}
}

// text compiles one string value without unescaping it, so that \u0023 does not
// start a variable.
func (c *compiler) text(n node) {
	for i, end := n.start+1, n.end-1; i < end; {
		switch {
		case c.source[i] != '#':
			i++
		case strings.HasPrefix(c.source[i+1:end], "{"):
			i = c.form(n, i)
		default:
			i = c.plain(i, end)
		}
	}
}

// plain compiles the "#" at i, which does not start an extended form, and returns
// the offset to continue at.
func (c *compiler) plain(i, end int) int {
	inside := c.source[i+1 : end]
	name := c.vocabulary.match(inside)
	if name == "" {
		c.unknown(i, inside)
		return i + 1
	}
	if !c.available(i, name) {
		return i + 1 + len(name)
	}
	if run := nameRun(inside); len(run) > len(name) {
		c.warn(i, CodeLongerName, "This is the variable #%s followed by the text %s. Write #{%s} to make that "+
			"clear, or correct the name.", name, shown(run[len(name):]), name)
	}
	c.add(part{}, name, i, i+1+len(name))
	return i + 1 + len(name)
}

// available reports whether events of this type have the variable, and fails if not.
func (c *compiler) available(at int, name string) bool {
	if c.vocabulary.known[name] {
		return true
	}
	if c.full() {
		return false
	}
	c.fail(at, CodeUnavailableVariable, "Events of this type have no #%s. Remove it%s. To send the text "+
		`itself, write \u0023%s.`, name, orUse(c.vocabulary.suggest(name)), name)
	return false
}

func orUse(name string) string {
	if name == "" {
		return ""
	}
	return " or use #" + name
}

// unknown warns about a "#" that looks like a variable. Numbers and colors are
// common in messages and cause no warning.
func (c *compiler) unknown(at int, inside string) {
	if len(c.warnings) >= MaxProblems {
		return
	}
	if run := nameRun(inside); isColor(run) {
		return
	}
	n := strings.IndexFunc(inside, func(r rune) bool {
		return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if n < 0 {
		n = len(inside)
	}
	name := strings.TrimRight(inside[:n], "-")
	if name == "" || name[0] == '-' || name[0] >= '0' && name[0] <= '9' {
		return
	}
	advice := "It stays as text."
	if near := c.vocabulary.suggest(name); near != "" {
		advice = "Did you mean #" + near + "? Otherwise it stays as text."
	}
	c.warn(at, CodeUnknownVariable, "There is no variable %s. %s", shown("#"+name), advice)
}

// isColor reports whether a run of name characters is a color such as ff0000.
func isColor(run string) bool {
	switch len(run) {
	case 3, 4, 6, 8:
		return strings.Trim(run, "0123456789abcdefABCDEF") == ""
	}
	return false
}

// key warns about a variable in the key of an object.
func (c *compiler) key(n node) {
	if n.kind != kindText {
		return
	}
	for i, end := n.start+1, n.end-1; i < end; i++ {
		if c.source[i] != '#' {
			continue
		}
		inside := strings.TrimPrefix(c.source[i+1:end], "{")
		if name := c.vocabulary.match(inside); name != "" {
			c.warn(i, CodeVariableInKey,
				"Keys are sent unchanged: #%s is not replaced here. Use it in a value.", name)
			return
		}
	}
}

// add replaces source[from:to] by a variable.
func (c *compiler) add(p part, name string, from, to int) {
	c.uses++
	if c.uses > MaxUses {
		if c.uses == MaxUses+1 {
			c.fail(from, CodeTooManyVariables,
				"This is the variable reference number %d; at most %d are allowed. Remove some.", c.uses, MaxUses)
		}
		return
	}
	p.before = c.source[c.done:from]
	c.parts = append(c.parts, p)
	c.names = append(c.names, name)
	c.done = to
}
