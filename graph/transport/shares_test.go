package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/99designs/gqlgen/graphql"
)

// A share has its part of a pool, and those with the whole have what is kept for
// them.
func TestPoolsAreShared(t *testing.T) {
	t.Parallel()
	p := newPool(800, 100)
	a, b, portal := Share{Key: "a"}, Share{Key: "b"}, Share{Key: "portal", Whole: true}
	take := func(s Share, n int64, want bool) {
		t.Helper()
		if got := p.take(s, n, 0); got != want {
			t.Errorf("%s takes %d: %t, want %t", s.Key, n, got, want)
		}
	}
	take(a, 60, true)
	take(a, 60, false)
	take(a, 40, true)
	take(b, 600, true) // alone, as it could never be answered otherwise
	take(b, 1, false)
	take(Share{Key: "c"}, 1, false) // the last eighth is kept
	take(portal, 100, true)
	take(portal, 1, false)
	p.release(b, 550)
	if !p.take(b, 400, 50) {
		t.Error("the only request of a share can't take more in parts")
	}
	p.release(b, 450)
	take(b, 60, true)
	p.release(b, 60)
	p.release(a, 100)
	p.release(portal, 100)
	if p.taken != 0 || len(p.byKey) != 0 {
		t.Errorf("%d are taken by %v after all was released", p.taken, p.byKey)
	}
}

// Of one share only so many operations run; others are not held up by it.
func TestOperationsOfAShareTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns, a := newTurns(2), Share{Key: "a"}
		one, _ := turns.wait(t.Context(), a)
		two, _ := turns.wait(t.Context(), a)
		third := make(chan func())
		go func() {
			done, _ := turns.wait(t.Context(), a)
			third <- done
		}()
		synctest.Wait()
		select {
		case <-third:
			t.Error("a third operation runs beside two")
		default:
		}
		if done, err := turns.wait(t.Context(), Share{Key: "b"}); err != nil {
			t.Errorf("another share: %v", err)
		} else {
			done()
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := turns.wait(canceled, a); !errors.Is(err, context.Canceled) {
			t.Errorf("a client that does not wait any more: %v, want its context's error", err)
		}
		one()
		(<-third)()
		two()
		if len(turns.byKey) != 0 {
			t.Errorf("%d shares are remembered after the last operation", len(turns.byKey))
		}
	})
}

// An answer that does not fit stops to grow while it is written.
func TestAnAnswerStopsGrowing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limit, pool int64
		want        string
	}{
		"longer than an answer may be":     {limit: 1 << 20, pool: 1 << 30, want: CodeLimit},
		"longer than there is memory left": {limit: 1 << 30, pool: 1 << 20, want: CodeUnavailable},
	} {
		h := &Handler{opts: Options{AnswerLimit: tt.limit}, answers: newPool(tt.pool, tt.pool)}
		a, ctx := h.newAnswer(t.Context(), Share{Whole: true})
		long := graphql.WriterFunc(func(w io.Writer) {
			for range 1000 {
				_, _ = io.WriteString(w, strings.Repeat("x", 10<<10))
			}
		})
		var buf bytes.Buffer
		boundRoot(ctx, func(context.Context) graphql.Marshaler { return long }).MarshalGQL(&buf)
		if buf.Len() > 1<<20 {
			t.Errorf("%s: %d bytes were written, want no more than 1 MiB", name, buf.Len())
		}
		resp := a.settle(&graphql.Response{Data: buf.Bytes()})
		if len(resp.Data) > 0 || len(resp.Errors) != 1 || codeOf(resp.Errors[0]) != tt.want {
			t.Errorf("%s: %d bytes and %v, want %s alone", name, len(resp.Data), resp.Errors, tt.want)
		}
		a.memory.release()
		if h.answers.taken != 0 {
			t.Errorf("%s: %d bytes stay taken", name, h.answers.taken)
		}
	}
}

// The executor compares a root field with null: a bound must not hide it.
func TestABoundKeepsNull(t *testing.T) {
	t.Parallel()
	h := &Handler{opts: Options{AnswerLimit: 100}, answers: newPool(100, 100)}
	_, ctx := h.newAnswer(t.Context(), Share{})
	for _, null := range []graphql.Marshaler{graphql.Null, graphql.RequiredNull} {
		if got := boundRoot(ctx, func(context.Context) graphql.Marshaler { return null }); got != null {
			t.Errorf("null became %v", got)
		}
	}
}

// A body takes memory as it arrives.
func TestABodyTakesMemoryAsItArrives(t *testing.T) {
	t.Parallel()
	memory := &reservation{pool: newPool(1<<20, 1<<20), share: Share{Whole: true}}
	r, w := io.Pipe()
	go func() {
		_, _ = w.Write(nil)
		_, _ = w.Write([]byte("{}"))
		if taken := memory.taken; taken > firstRead {
			_ = w.CloseWithError(errors.New("it has taken too much"))
		}
		_, _ = w.Write(make([]byte, 100_000))
		_ = w.Close()
	}()
	data, err := readAll(r, 8<<20, memory)
	if err != nil || len(data) != 100_002 {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	if memory.taken != int64(cap(data)) || memory.taken > 4*100_000 {
		t.Errorf("%d bytes were taken for a buffer of %d", memory.taken, cap(data))
	}
	if _, err := readAll(bytes.NewReader(make([]byte, 2<<20)), 2<<20, memory); !errors.Is(err, errPoolFull) {
		t.Errorf("more than there is: %v, want errPoolFull", err)
	}
}

func TestValuesAreCountedOutsideOfTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`{}`: 2, `{"a":1}`: 2, `{"a":[1,2,3]}`: 5, `{"a":"[[[,,,\"{{{"}`: 2, `[[],[],[]]`: 7,
	} {
		if got, err := count([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %d values, %v, want %d", text, got, err, want)
		}
	}
	if _, err := count([]byte("[" + strings.Repeat("[],", maxValues))); err == nil || codeOf(err) != CodeLimit {
		t.Errorf("too many: %v, want %s", err, CodeLimit)
	}
}
