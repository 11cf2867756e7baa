package template

import (
	"errors"
	"slices"
)

// MaxMessage is how many bytes a message may have unless Render is told
// otherwise.
const MaxMessage = 256 << 10

// maxWork bounds the text that all filters of one message read, so that a chain
// of filters cannot keep a worker busy.
const maxWork = 16 * MaxMessage

// ErrTooLarge is returned for a message that is longer than its limit, or whose
// filters would have to read far more text than a message can hold.
var ErrTooLarge = errors.New("the message is larger than its limit")

// A Template is a compiled template. It is immutable and safe for concurrent
// use.
type Template struct {
	parts   []part
	tail    string   // the source behind the last part
	names   []string // of the variables, sorted and distinct
	literal int      // bytes that every message has
}

// A part is a variable and the literal text before it.
type part struct {
	before  string
	slot    int // index into Template.names
	filters []filter
	raw     bool
}

// Uses returns the names of the variables that the template uses, sorted and
// without "#".
func (t *Template) Uses() []string { return slices.Clone(t.names) }

// Render appends the message to dst and returns the longer slice. It returns
// ErrTooLarge, and dst as it was, as soon as the message has more than limit
// bytes; a limit of zero or less stands for MaxMessage. The message is valid
// JSON, and the same for the same values.
func (t *Template) Render(dst []byte, values Values, limit int) ([]byte, error) {
	if limit <= 0 {
		limit = MaxMessage
	}
	var room [64]*field // more than the names of one event type, to spare the heap
	slots := room[:]
	if len(t.names) > len(room) {
		slots = make([]*field, len(t.names))
	}
	values.resolve(t.names, slots)
	start := len(dst)
	w := writer{
		dst:   grown(dst, min(t.size(slots), limit)),
		limit: start + limit,
		work:  maxWork,
	}
	for i := range t.parts {
		p := &t.parts[i]
		w.literal(p.before)
		w.variable(p, slots[p.slot])
		if w.full {
			return w.dst[:start], ErrTooLarge
		}
	}
	w.literal(t.tail)
	if w.full {
		return w.dst[:start], ErrTooLarge
	}
	return w.dst, nil
}

// size estimates a message's length, with a little room for escapes.
func (t *Template) size(slots []*field) int {
	n := t.literal + 32
	for i := range t.parts {
		if f := slots[t.parts[i].slot]; f != nil {
			n += len(f.text)
		}
	}
	return n
}

// grown returns dst with room for n more bytes. Unlike [slices.Grow] it takes no
// more than that, since most messages end where their estimate does.
func grown(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return append(make([]byte, 0, len(dst)+n), dst...)
}

// A writer builds one message.
type writer struct {
	dst   []byte
	limit int // of len(dst)
	work  int // bytes that filters may still read
	full  bool
}

// fits reports whether n more bytes are within the limit.
func (w *writer) fits(n int) bool {
	w.full = w.full || n > w.limit-len(w.dst)
	return !w.full
}

func (w *writer) literal(text string) {
	if w.fits(len(text)) {
		w.dst = append(w.dst, text...)
	}
}

// variable writes the value f, which is nil when the event has none.
func (w *writer) variable(p *part, f *field) {
	text := ""
	if f != nil {
		text = f.text
	}
	given := text
	for _, apply := range p.filters {
		w.work -= len(text)
		if w.full = w.full || w.work < 0; w.full {
			return
		}
		text = apply(text)
	}
	switch {
	case !p.raw:
		w.escaped(text, textLow, textHigh)
	case text == given && (f == nil || f.null):
		w.literal("null")
	case text == given && f.json:
		w.escaped(text, markupLow, markupHigh)
	default:
		w.literal(`"`)
		w.escaped(text, textLow, textHigh)
		w.literal(`"`)
	}
}

// escaped writes text with a set of characters escaped. Escaping never makes it
// shorter, so a text that doesn't fit is not even begun. One that outgrows the
// limit is noticed by the next write: a literal always follows.
func (w *writer) escaped(text string, low, high uint64) {
	if w.fits(len(text)) {
		w.dst = appendEscaped(w.dst, text, low, high, w.limit)
	}
}
