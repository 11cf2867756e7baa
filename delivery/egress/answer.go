package egress

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"sync"
	"time"
)

// maxLong is how many long heads, of up to MaxHeaderBytes each, a Client keeps
// at once: as many as there are workers if nobody says otherwise. More calls
// wait with what fits into their readers, and leave the rest where it is. Of so
// many answers at once more than a little is kept until their calls are over.
const maxLong = 64

// heads is where the heads of answers are kept that are longer than a reader.
type heads struct {
	taken   chan struct{}
	ample   chan struct{} // one for each answer of which much is kept
	buffers sync.Pool     // of *[]byte
	parsing sync.Mutex    // one of them at a time
}

func newHeads() *heads {
	return &heads{
		taken: make(chan struct{}, maxLong),
		ample: make(chan struct{}, maxLong),
		buffers: sync.Pool{New: func() any {
			b := make([]byte, 0, MaxHeaderBytes)
			return &b
		}},
	}
}

// take returns an empty buffer, which must be put back, when there is one.
func (h *heads) take(ctx context.Context, deadline time.Time) (*[]byte, error) {
	late := time.NewTimer(time.Until(deadline))
	defer late.Stop()
	select {
	case h.taken <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		return nil, os.ErrDeadlineExceeded
	}
	b, _ := h.buffers.Get().(*[]byte)
	return b, nil
}

func (h *heads) put(b *[]byte) {
	*b = (*b)[:0]
	h.buffers.Put(b)
	<-h.taken
}

// answer reads up to the body of an answer, and into r. Answers that announce
// another one share its budget. The body can be left as it is: it holds nothing
// but c.
func (c *conn) answer(ctx context.Context, deadline time.Time, r *Result) (*http.Response, error) {
	for {
		if err := c.gather(ctx, deadline); err != nil {
			c.release()
			return nil, err
		}
		resp, err := c.parse(r)
		if err != nil || !isInterim(resp.StatusCode) {
			return resp, err
		}
	}
}

func isInterim(status int) bool {
	return status >= 100 && status <= 199 && status != http.StatusSwitchingProtocols
}

// parse reads a head, and the one of the answer itself into r. A long one waits
// for the others, but not for its receiver: nothing is read beyond what was
// gathered.
func (c *conn) parse(r *Result) (*http.Response, error) {
	if c.long != nil {
		c.heads.parsing.Lock()
		defer c.heads.parsing.Unlock()
		defer c.release()
		budget := c.budget
		defer func() { c.budget = budget }()
		c.budget = 0
	}
	resp, err := http.ReadResponse(c.reader, nil)
	if err == nil && !isInterim(resp.StatusCode) {
		r.head(resp, c.isAmple)
	}
	return resp, err
}

// gather waits until net/http can parse a head without waiting. Half a head that
// is parsed takes up to twenty times its text, for as long as the receiver
// likes. Its error is about ctx or the deadline alone; if the connection fails,
// net/http comes upon that behind what has come.
func (c *conn) gather(ctx context.Context, deadline time.Time) error {
	come := c.come()
	if bytes.Contains(come, []byte("\r\n\r\n")) {
		return nil // nearly always
	}
	var o outline
	for seen := 0; !o.follow(come[seen:]); come = c.come() {
		if seen = len(come); seen == c.reader.Size() {
			if err := c.putAside(ctx, deadline, come); err != nil {
				return err
			}
			seen = 0
		}
		if _, err := c.reader.Peek(seen + 1); err != nil {
			break
		}
	}
	if c.long != nil {
		c.replay = append(append(*c.long, c.come()...), c.replay...)
		c.reader.Reset(c)
	}
	return nil
}

// come returns what has been read and not yet parsed.
func (c *conn) come() []byte {
	b, _ := c.reader.Peek(c.reader.Buffered())
	return b
}

// putAside moves what has come out of the reader, which it fills.
func (c *conn) putAside(ctx context.Context, deadline time.Time, come []byte) (err error) {
	if c.long == nil {
		if c.long, err = c.heads.take(ctx, deadline); err != nil {
			return err
		}
	}
	*c.long = append(*c.long, come...)
	_, err = c.reader.Discard(len(come))
	return err
}

// release gives back where a long head was kept. Of the body at most what fits
// into the reader has been kept with it.
func (c *conn) release() {
	if c.long != nil {
		c.replay = bytes.Clone(c.replay)
		c.heads.put(c.long)
		c.long = nil
	}
}

// isAmple reports whether more than a little of the answer may be kept.
func (c *conn) isAmple() bool {
	if !c.ample {
		select {
		case c.heads.ample <- struct{}{}:
			c.ample = true
		default:
		}
	}
	return c.ample
}

// settle lets another answer have the room of this one.
func (c *conn) settle() {
	if c.ample {
		c.ample = false
		<-c.heads.ample
	}
}
