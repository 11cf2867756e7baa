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

// maxEventID is the maximum length of a Last-Event-ID; cursors are much shorter.
const maxEventID = 1024

// An eventStream responds to one request with server-sent events, the "distinct
// connections" mode of graphql-sse: each response is a "next" event, and a
// "complete" event ends the stream. A stream that ends without "complete" was
// interrupted; its client may resume with the Last-Event-ID.
type eventStream struct {
	h    *Handler
	w    http.ResponseWriter
	r    *http.Request
	ctrl *http.ResponseController

	share    Share
	answered func() // called when what follows is a stream
}

func newEventStream(h *Handler, w http.ResponseWriter, r *http.Request, answered func()) *eventStream {
	return &eventStream{
		h: h, w: w, r: r, ctrl: http.NewResponseController(w),
		share: h.opts.Share(r.Context(), r.RemoteAddr), answered: answered,
	}
}

// serve streams the responses of op. The errors of a refused request are sent as
// an event too, as EventSource gives a page no access to other responses.
func (s *eventStream) serve(op *graphql.OperationContext, refused *graphql.Response) {
	release, ok := s.h.acquire(s.r.Context(), s.r.RemoteAddr)
	if !ok {
		s.h.refuse(s.w, s.r, http.StatusTooManyRequests, coded(CodeLimit, "There are too many open connections."))
		return
	}
	defer release()
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
		s.h.single(s.r.Context(), s.share, op, func(resp *graphql.Response) { _ = s.next(resp) && s.complete() })
	}
}

type lastEventKey struct{}

// LastEventID returns the Last-Event-ID of an event stream: the cursor after
// which its subscription resumes. It takes precedence over the arguments, which a
// browser repeats unchanged when it reconnects. It is "" for other requests.
func LastEventID(ctx context.Context) string {
	id, _ := ctx.Value(lastEventKey{}).(string)
	return id
}

// resume stores the Last-Event-ID in the request's context.
func (s *eventStream) resume() *gqlerror.Error {
	id := s.r.Header.Get("Last-Event-ID")
	if len(id) > maxEventID {
		return coded(CodeBadInput, "The Last-Event-ID is invalid.")
	}
	s.r = s.r.WithContext(context.WithValue(s.r.Context(), lastEventKey{}, id))
	return nil
}

// follow sends the responses of the subscription, and heartbeats as comments. It
// ends with the subscription, the client, the caller's identity or the server.
func (s *eventStream) follow(op *graphql.OperationContext) {
	s.answered()
	ctx, cancel := context.WithCancel(s.r.Context())
	responses, ended := make(chan *graphql.Response), make(chan *graphql.Response, 1)
	go func() {
		ended <- s.h.stream(ctx, s.share, op, func(resp *graphql.Response) bool {
			// The executor reuses the buffer for the next response.
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
	// The second receive waits until the goroutine has ended in all cases.
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

// refuse ends the stream because the caller's credentials are no longer valid.
func (s *eventStream) refuse(why string) {
	last := &graphql.Response{Errors: gqlerror.List{coded(CodeUnauthenticated, why)}}
	_ = s.next(last) && s.complete()
}

// open sends the header and a first comment, which tells the client that it is
// connected.
func (s *eventStream) open() bool {
	header := s.w.Header()
	header.Set("Content-Type", typeEvents+"; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Accel-Buffering", "no") // disables buffering in nginx
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

// complete sends the last event. It has data, as EventSource drops events without.
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
	// HTTP/2 resets a stream at its deadline, even if nothing is being written.
	_ = s.ctrl.SetWriteDeadline(time.Time{})
	return true
}

// expiry returns a channel that receives at the given time; never if it is zero.
func expiry(at time.Time) (expired <-chan time.Time, stop func()) {
	if at.IsZero() {
		return nil, func() {}
	}
	timer := time.NewTimer(time.Until(at))
	return timer.C, func() { timer.Stop() }
}
