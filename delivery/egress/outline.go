package egress

import (
	"bufio"
	"bytes"
	"net/http"
)

// maxStatusSeen is how much of a status line is looked at before all of it has
// come. A longer one is left to net/http.
const maxStatusSeen = 256

// An outline follows the lines of an answer's head as they come, without
// keeping any, by the rules of net/http. Where it is wrong nothing is: net/http
// parses the answer and says whether it is valid.
type outline struct {
	status  []byte // the first line, or its beginning
	lines   int    // that have ended
	length  int    // of the line at hand, without its end
	folded  bool   // the line at hand goes on with the one before, if there is one
	colon   bool   // has come in the line at hand
	invalid bool   // the header at hand
	cr      bool   // was the last byte
}

// follow takes what has come next. It reports whether that decides what the
// answer is: the head has ended, or net/http refuses it without more of it.
func (o *outline) follow(b []byte) (decided bool) {
	for _, c := range b {
		switch {
		case c == '\n':
			decided = o.end()
		case o.lines == 0:
			o.length++
			if len(o.status) < maxStatusSeen {
				o.status = append(o.status, c)
			}
		default:
			decided = o.header(c)
		}
		if decided {
			return true
		}
	}
	return false
}

// end ends a line.
func (o *outline) end() (decided bool) {
	switch {
	case o.lines == 0:
		decided = o.length <= maxStatusSeen && !isStatusLine(o.status)
	case o.length == 0:
		decided = true // the head's end
	case o.folded:
		decided = o.lines == 1
	default:
		decided = !o.colon
	}
	o.lines++
	o.length, o.folded, o.colon, o.cr = 0, false, false, false
	return decided
}

// header takes one byte of a line after the first. A header is refused only
// when the next line begins, because a folded line belongs to it.
func (o *outline) header(c byte) (decided bool) {
	if o.cr { // and what follows is not the end of the line
		o.invalid, o.cr = true, false
		o.length++
	}
	if o.length == 0 {
		o.folded = c == ' ' || c == '\t'
		if !o.folded && o.invalid {
			return true
		}
	}
	if c == '\r' {
		o.cr = true
		return false
	}
	if c == ':' && !o.colon && !o.folded {
		o.colon = true
		o.invalid = o.invalid || o.length == 0
	} else if o.colon || o.folded {
		o.invalid = o.invalid || c < ' ' && c != '\t' || c == 0x7f
	} else {
		o.invalid = o.invalid || c != ' ' && !isTokenByte(c)
	}
	o.length++
	return false
}

func isStatusLine(line []byte) bool {
	answer := append(bytes.Clone(line), "\n\r\n"...)
	_, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil) //nolint:bodyclose // it has none
	return err == nil
}
