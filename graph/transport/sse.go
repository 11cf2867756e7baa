package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// maxEventID bounds the Last-Event-ID of a request; cursors are far shorter.
const maxEventID = 1024

// An eventStream answers one request with server-sent events, the "distinct
// connections" of graphql-sse: every response is an event "next", the end is
// an event "complete". A stream that stops without it was interrupted, and
// its client may come back with the Last-Event-ID.
type eventStream struct {
	h    *Handler
	w    http.ResponseWriter
	r    *http.Request
	ctrl *http.ResponseController
}

func newEventStream(h *Handler, w http.ResponseWriter, r *http.Request) *eventStream {
	return &eventStream{h: h, w: w, r: r, ctrl: http.NewResponseController(w)}
}

// serve streams the responses of op. A request that was refused gets its
// errors as an event too: EventSource shows a page no other answer.
func (s *eventStream) serve(op *graphql.OperationContext, refused *graphql.Response) {
	leave, ok := s.h.sit(s.r.Context(), s.r.RemoteAddr)
	if !ok {
		s.h.refuse(s.w, s.r, http.StatusTooManyRequests, coded(CodeLimit, "You have too many open connections."))
		return
	}
	defer leave()
	if refused == nil && op.Operation.Operation == ast.Subscription {
		if err := s.resume(); err != nil {
			refused = &graphql.Response{Errors: gqlerror.List{err}}
		}
	}
	if !s.open() {
		return
	}
	switch {
	case refused != nil:
		_ = s.next(refused) && s.complete()
	case op.Operation.Operation == ast.Subscription:
		s.follow(op)
	default:
		_ = s.next(s.h.single(s.r.Context(), op)) && s.complete()
	}
}

type lastEventKey struct{}

// LastEventID returns the id of the last event that the client of a stream of
// events saw, the cursor that its subscription goes on behind, whatever its
// arguments say: a browser repeats these when it connects again. It is "" for
// others.
func LastEventID(ctx context.Context) string {
	id, _ := ctx.Value(lastEventKey{}).(string)
	return id
}

// resume notes the last event that the client saw.
func (s *eventStream) resume() *gqlerror.Error {
	id := s.r.Header.Get("Last-Event-ID")
	if len(id) > maxEventID {
		return coded(CodeBadInput, "The Last-Event-ID is not one of ours.")
	}
	s.r = s.r.WithContext(context.WithValue(s.r.Context(), lastEventKey{}, id))
	return nil
}

// follow sends what the subscription yields, a comment when it is quiet, and
// ends with the subscription, its client, its caller's identity or the server.
func (s *eventStream) follow(op *graphql.OperationContext) {
	ctx, cancel := context.WithCancel(s.r.Context())
	responses, ended := make(chan *graphql.Response), make(chan *graphql.Response, 1)
	go func() {
		ended <- s.h.stream(ctx, op, func(resp *graphql.Response) bool {
			// The executor writes the next response into the same memory.
			own := *resp
			own.Data = bytes.Clone(resp.Data)
			select {
			case responses <- &own:
				return true
			case <-ctx.Done():
				return false
			}
		})
		close(ended)
	}()
	// The second receive waits for the goroutine whether or not follow saw its end.
	defer func() { cancel(); <-ended; <-ended }()

	heartbeat := time.NewTicker(s.h.opts.Heartbeat)
	defer heartbeat.Stop()
	expired, stopTimer := expiry(s.h.opts.Expires(ctx))
	defer stopTimer()
	revoked := s.h.opts.Ended(ctx)
	for alive := true; alive; {
		select {
		case resp := <-responses:
			alive = s.next(resp)
		case last := <-ended:
			if ctx.Err() == nil {
				_ = (last == nil || s.next(last)) && s.complete()
			}
			return
		case <-heartbeat.C:
			alive = s.write([]byte(":\n\n"))
		case <-expired:
			s.refuse("Your credentials have expired.")
			return
		case <-revoked:
			s.refuse("Your credentials are no longer valid.")
			return
		case <-s.h.stop:
			return
		case <-ctx.Done():
			return
		}
	}
}

// refuse ends the stream because its caller is not known any more.
func (s *eventStream) refuse(why string) {
	last := &graphql.Response{Errors: gqlerror.List{coded(CodeUnauthenticated, why)}}
	_ = s.next(last) && s.complete()
}

// open sends the header and a first comment, so that the client knows at once
// that it is connected.
func (s *eventStream) open() bool {
	header := s.w.Header()
	header.Set("Content-Type", typeEvents+"; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Accel-Buffering", "no") // nginx would hold events back
	s.w.WriteHeader(http.StatusOK)
	return s.write([]byte(":\n\n"))
}

func (s *eventStream) next(resp *graphql.Response) bool {
	data := encode(resp)
	if bytes.ContainsAny(data, "\r\n") {
		var line bytes.Buffer
		if json.Compact(&line, data) != nil {
			return false
		}
		data = line.Bytes()
	}
	event := make([]byte, 0, len(data)+64)
	event = append(event, "event: next\n"...)
	if id := s.h.opts.EventID(resp); id != "" && !strings.ContainsAny(id, "\r\n\x00") {
		event = append(append(append(event, "id: "...), id...), '\n')
	}
	event = append(append(append(event, "data: "...), data...), "\n\n"...)
	return s.write(event)
}

// complete sends the last event. EventSource drops an event without data.
func (s *eventStream) complete() bool {
	return s.write([]byte("event: complete\ndata: \n\n"))
}

func (s *eventStream) write(event []byte) bool {
	_ = s.ctrl.SetWriteDeadline(time.Now().Add(s.h.opts.WriteTimeout))
	if _, err := s.w.Write(event); err != nil {
		return false
	}
	if err := s.ctrl.Flush(); err != nil {
		return false
	}
	// HTTP/2 ends a stream at its deadline, even one that has nothing to write.
	_ = s.ctrl.SetWriteDeadline(time.Time{})
	return true
}

// expiry returns a channel that receives at the time at, never if it is zero.
func expiry(at time.Time) (expired <-chan time.Time, stop func()) {
	if at.IsZero() {
		return nil, func() {}
	}
	timer := time.NewTimer(time.Until(at))
	return timer.C, func() { timer.Stop() }
}
