package template

import (
	"fmt"
	"strings"
	"time"
)

// MaxFilters is the maximum number of filters of a variable.
const MaxFilters = 8

// A form is a parsed #{…}.
type form struct {
	name    string
	filters []filter
	raw     int // offset of the filter raw, or 0
}

// form compiles the #{ at from in the string n and returns the offset to continue
// at.
func (c *compiler) form(n node, from int) int {
	r := formReader{source: c.source[:n.end-1], at: from + 2, zone: c.zone}
	f, wrong := r.read()
	if wrong != nil {
		c.fail(wrong.at, wrong.code, "%s", wrong.message)
		r.skip()
	}
	usable := f.name != "" && c.named(from, f.name)
	if wrong != nil || !usable {
		return r.at
	}
	p := part{filters: f.filters, raw: f.raw > 0}
	to := r.at
	if p.raw {
		if from != n.start+1 || to != n.end-1 {
			c.fail(f.raw, CodeMisplacedRaw, "The filter raw replaces a whole string, and there is other text "+
				"in this one. Remove the text around #{…}, or the filter.")
			return to
		}
		from, to = n.start, n.end
	}
	c.add(p, f.name, from, to)
	return r.at
}

// named checks the name of an extended form.
func (c *compiler) named(at int, name string) bool {
	if c.vocabulary.match(name) == name {
		return c.available(at, name)
	}
	if c.full() {
		return false
	}
	advice := `Correct the name; to send the text itself, write \u0023{.`
	if near := c.vocabulary.suggest(name); near != "" {
		advice = "Did you mean #{" + near + "}?"
	}
	c.fail(at, CodeUnknownVariable, "There is no variable %s. %s", shown(name), advice)
	return false
}

// A formReader parses one #{…}. Its source ends with the string.
type formReader struct {
	source string
	at     int
	zone   *time.Location
}

// read parses the form after "#{" up to and including "}". If there is a problem,
// the form has what precedes it.
func (r *formReader) read() (form, *finding) {
	start := r.at
	f := form{name: nameRun(r.rest())}
	r.at += len(f.name)
	if f.name == "secret" && strings.HasPrefix(r.rest(), ".") {
		return form{}, problem(start, CodeSecretUnavailable, "Secrets in templates are not available. "+
			"Send the secret in a secret header, such as one named Authorization.")
	}
	if f.name == "" {
		return f, problem(start, CodeBadForm, "The name of a variable is expected after #{, as in #{event_type}. "+
			`To send the two characters themselves, write \u0023{.`)
	}
	for {
		switch r.peek() {
		case '}':
			r.at++
			return f, nil
		case '|':
			r.at++
			if wrong := r.filter(&f); wrong != nil {
				return f, wrong
			}
		default:
			return f, r.unexpected()
		}
	}
}

// filter parses one filter with its argument.
func (r *formReader) filter(f *form) *finding {
	start := r.at
	name := nameRun(r.rest())
	r.at += len(name)
	if f.raw > 0 {
		return problem(f.raw, CodeMisplacedRaw, "The filter raw must be the last one. Move it to the end.")
	}
	if len(f.filters) == MaxFilters {
		return problem(start, CodeTooManyFilters, "A variable may have at most %d filters. Remove some.",
			MaxFilters)
	}
	arg, wrong := r.argument()
	if wrong != nil {
		return wrong
	}
	if name == "raw" && !arg.given {
		f.raw = start
		return nil
	}
	apply, wrong := newFilter(name, start, arg, r.zone)
	if wrong != nil {
		return wrong
	}
	f.filters = append(f.filters, apply)
	return nil
}

// An argument follows the colon of a filter.
type argument struct {
	at     int // its offset, or where it would be
	given  bool
	quoted bool
	text   string
}

// argument parses the argument at r.at, if there is one.
func (r *formReader) argument() (argument, *finding) {
	arg := argument{at: r.at}
	if r.peek() != ':' {
		return arg, nil
	}
	r.at++
	arg.at, arg.given = r.at, true
	if strings.HasPrefix(r.rest(), `\"`) {
		r.at += 2
		arg.quoted = true
		return arg, r.quoted(&arg)
	}
	n := strings.IndexAny(r.rest(), `|}\`)
	if n < 0 {
		return arg, problem(arg.at, CodeBadForm, "This #{…} is not closed inside its text. "+
			`If an argument has quotes, write them \": #{event_type|default:\"none\"}. Otherwise add the }.`)
	}
	arg.text = r.rest()[:n]
	r.at += n
	return arg, nil
}

// quoted parses the text of an argument up to its closing \". It unescapes JSON's
// escapes first; in the result, \" is a quote and \\ a backslash.
func (r *formReader) quoted(arg *argument) *finding {
	var text strings.Builder
	for r.rest() != "" {
		if strings.HasPrefix(r.rest(), `\"`) {
			r.at += 2
			arg.text = clean(text.String())
			return nil
		}
		if strings.HasPrefix(r.rest(), `\\`) {
			escaped := r.rest()[2:]
			if !strings.HasPrefix(escaped, `\"`) && !strings.HasPrefix(escaped, `\\`) {
				return problem(r.at, CodeBadArgument,
					`In an argument, write a backslash as \\\\ and a quote as \\\".`)
			}
			text.WriteByte(escaped[1])
			r.at += 4
			continue
		}
		c, size := unescapeRune(r.rest())
		text.WriteRune(c)
		r.at += size
	}
	return problem(arg.at, CodeBadForm, `The argument that starts here has no closing quote. Add \" and }.`)
}

// unexpected returns the problem for a character other than | or }.
func (r *formReader) unexpected() *finding {
	if r.rest() == "" {
		return problem(r.at, CodeBadForm, "This #{…} is not closed inside its text. "+
			`Add the }, or write \u0023{ to send the two characters themselves.`)
	}
	c, _ := unescapeRune(r.rest())
	return problem(r.at, CodeBadForm, "A | or } is expected here, not %s. "+
		"The form is #{name|filter:argument}, without spaces.", shown(string(c)))
}

// skip continues at the end of a form that could not be parsed.
func (r *formReader) skip() {
	if n := strings.IndexByte(r.rest(), '}'); n >= 0 {
		r.at += n + 1
		return
	}
	r.at = len(r.source)
}

func (r *formReader) rest() string { return r.source[min(r.at, len(r.source)):] }

func (r *formReader) peek() byte {
	if rest := r.rest(); rest != "" {
		return rest[0]
	}
	return 0
}

func problem(at int, code Code, format string, args ...any) *finding {
	return &finding{at, code, fmt.Sprintf(format, args...)}
}
