package transport

import (
	"context"
	"fmt"
	"io"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// answerStep is how much memory for an answer is taken from the pool at once.
const answerStep = 64 << 10

// An answer counts the bytes of one response while they are written, so that
// neither a response nor all of them together take more memory than there is for
// them. Once it is full, what is written is dropped and the response refused.
type answer struct {
	limit  int64
	memory reservation
	size   int64
	full   *gqlerror.Error // why the response is refused; nil if it is not
}

type answerKey struct{}

// newAnswer returns the answer to an operation and the context to execute it in.
// Its memory must be released when it is sent.
func (h *Handler) newAnswer(ctx context.Context, s Share) (*answer, context.Context) {
	a := &answer{limit: h.opts.AnswerLimit, memory: reservation{pool: h.answers, share: s}}
	return a, context.WithValue(ctx, answerKey{}, a)
}

// begin starts to count the next response.
func (a *answer) begin() {
	a.memory.release()
	a.size, a.full = 0, nil
}

// grow counts n bytes and reports whether there is room for them.
func (a *answer) grow(n int) bool {
	if a.full != nil {
		return false
	}
	a.size += int64(n)
	switch {
	case a.size > a.limit:
		a.full = coded(CodeLimit, fmt.Sprintf("The answer would be longer than %d bytes. Request less at a time.",
			a.limit))
	case a.size > a.memory.taken && !a.memory.more(max(answerStep, a.size-a.memory.taken)):
		a.full = later(coded(CodeUnavailable, "The server is overloaded with answers. Try again."))
	default:
		return true
	}
	return false
}

// settle returns resp, or its refusal if it does not fit. It counts the bytes that
// were not counted while they were written: those of subscriptions.
func (a *answer) settle(resp *graphql.Response) *graphql.Response {
	if resp != nil && a.full == nil && int64(len(resp.Data)) > a.size {
		a.grow(len(resp.Data) - int(a.size))
	}
	if a.full != nil {
		return &graphql.Response{Errors: gqlerror.List{a.full}}
	}
	return resp
}

// boundRoot bounds what is written of a root field. It is a middleware of the
// executor.
func boundRoot(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	value := next(ctx)
	a, ok := ctx.Value(answerKey{}).(*answer)
	if !ok || value == graphql.Null || value == graphql.RequiredNull {
		return value // the executor compares these two
	}
	return graphql.WriterFunc(func(w io.Writer) { value.MarshalGQL(&boundWriter{a, w}) })
}

// A boundWriter writes as long as the answer has room.
type boundWriter struct {
	a *answer
	w io.Writer
}

// Write implements [io.Writer].
func (b *boundWriter) Write(data []byte) (int, error) {
	if !b.a.grow(len(data)) {
		return len(data), nil
	}
	return b.w.Write(data)
}

// WriteString implements [io.StringWriter].
func (b *boundWriter) WriteString(text string) (int, error) {
	if !b.a.grow(len(text)) {
		return len(text), nil
	}
	return io.WriteString(b.w, text)
}
