package template

import (
	"errors"
	"slices"
)

// MaxMessage is the default limit of a message in bytes.
const MaxMessage = 256 << 10

// maxWork bounds the bytes that all filters of a message process, so that a chain of
// filters cannot keep a worker busy.
const maxWork = 16 * MaxMessage

// ErrTooLarge is returned for a message that exceeds its limit, or whose filters
// would process far more text than a message can contain.
var ErrTooLarge = errors.New("the message is larger than its limit")

// A Template is a compiled template. It is immutable and safe for concurrent
// use.
type Template struct {
	parts   []part
	tail    string   // the source after the last part
	names   []string // of the variables, sorted and distinct
	literal int      // bytes of literal text
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

// Render appends the message to dst and returns the extended slice. As soon as the
// message exceeds limit bytes (MaxMessage if limit <= 0), it returns dst unchanged and
// ErrTooLarge. The message is valid JSON, and the same for the same values.
func (t *Template) Render(dst []byte, values Values, limit int) ([]byte, error) {
	if limit <= 0 {
		limit = MaxMessage
	}
	var room [64]*field // more than an event type has variables, to avoid an allocation
	slots := room[:]
	if len(t.names) > len(room) {
		slots = make([]*field, len(t.names))
	}
	values.resolve(t.names, slots)
	start := len(dst)
	w := writer{
		dst:   grow(dst, min(t.size(slots), limit)),
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

// size estimates the length of a message, with a margin for escapes.
func (t *Template) size(slots []*field) int {
	n := t.literal + 32
	for i := range t.parts {
		if f := slots[t.parts[i].slot]; f != nil {
			n += len(f.text)
		}
	}
	return n
}

// grow returns dst with capacity for n more bytes. Unlike [slices.Grow] it allocates
// exactly that, since most messages fit their estimate.
func grow(dst []byte, n int) []byte {
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

// variable writes the value f, which is nil if the event does not have it.
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

// escaped writes text and escapes a set of characters. Text that does not fit
// unescaped is not written. If escaping exceeds the limit, the next write, which is
// always a literal, detects it.
func (w *writer) escaped(text string, low, high uint64) {
	if w.fits(len(text)) {
		w.dst = appendEscaped(w.dst, text, low, high, w.limit)
	}
}
