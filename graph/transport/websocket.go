package transport

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
)

// closeGrace is how long a client has to answer a close frame, and lingerBytes
// what is read meanwhile after a message that was too long. Closing the
// connection at once would make the kernel drop a frame still under way.
const (
	closeGrace  = 2 * time.Second
	lingerBytes = 1 << 20
)

// webSocketTransport speaks graphql-transport-ws on upgraded connections.
type webSocketTransport struct{ h *Handler }

func (webSocketTransport) Supports(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

func (t webSocketTransport) Do(w http.ResponseWriter, r *http.Request, _ graphql.GraphExecutor) {
	upgrader := websocket.Upgrader{
		HandshakeTimeout: t.h.opts.WriteTimeout,
		Subprotocols:     []string{subprotocol},
		CheckOrigin:      func(*http.Request) bool { return true }, // ServeHTTP did
	}
	ws, err := upgrader.Upgrade(hijacker{w}, r, http.Header{requestIDHeader: {RequestID(r.Context())}})
	if err != nil {
		return // Upgrade has answered
	}
	ctx, cancel := context.WithCancel(r.Context())
	c := &connection{
		h:      t.h,
		ws:     ws,
		remote: r.RemoteAddr,
		ctx:    ctx,
		cancel: cancel,
		terms:  make(chan terms, 1),
		active: map[string]*operation{},
	}
	c.serve()
}

// hijacker lets gorilla take over a connection through the wrappers that
// middleware puts around a ResponseWriter.
type hijacker struct{ http.ResponseWriter }

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(h.ResponseWriter).Hijack()
}

// A connection is one socket from its upgrade to its end. One goroutine
// reads, one watches the clock, and each operation has one more; serve
// outlives them all.
type connection struct {
	h      *Handler
	ws     *websocket.Conn
	remote string
	ctx    context.Context // ends with the connection; carries what Authenticate found
	cancel context.CancelFunc
	terms  chan terms // receives those of the credentials once they are accepted
	work   sync.WaitGroup

	initialised bool // connection_init was received; only the reader knows

	writing sync.Mutex // held while a message is written; taken before mu

	mu      sync.Mutex
	closing bool
	acked   bool
	caller  context.Context // made by ConnectionInit; valid once acked
	active  map[string]*operation
	running int    // operations that have not returned yet, active or not
	leave   func() // gives the caller's seat back
}

// terms say when credentials that were accepted are good no longer.
type terms struct {
	expires time.Time // zero for never
	ended   <-chan struct{}
}

func (c *connection) serve() {
	defer c.ws.Close()
	defer c.standUp()
	c.extend()
	c.ws.SetReadLimit(c.h.opts.MessageLimit)
	c.ws.SetPongHandler(func(string) error { c.extend(); return nil })
	c.work.Go(c.watch)
	if c.ws.Subprotocol() != subprotocol {
		c.close(closeBadProtocol, "Subprotocol not acceptable")
	}
	c.read()
	c.cancel()
	c.work.Wait()
}

// read takes messages until the connection fails. After a close frame was
// sent it goes on, deaf, until the client has answered or run out of time.
func (c *connection) read() {
	for {
		kind, data, err := c.ws.ReadMessage()
		if errors.Is(err, websocket.ErrReadLimit) {
			_ = c.ws.NetConn().SetReadDeadline(time.Now().Add(closeGrace))
			_, _ = io.CopyN(io.Discard, c.ws.NetConn(), lingerBytes)
		}
		if err != nil {
			return
		}
		c.extend()
		switch {
		case c.isClosing():
		case kind != websocket.TextMessage:
			c.close(closeBadRequest, "Invalid message: not text")
		default:
			c.handle(data)
		}
	}
}

func (c *connection) handle(data []byte) {
	m, invalid := decodeMessage(data)
	if invalid != "" {
		c.close(closeBadRequest, invalid)
		return
	}
	switch m.Type {
	case msgInit:
		if c.initialised {
			c.close(closeTooManyInits, "Too many initialisation requests")
			return
		}
		c.initialised = true
		c.work.Go(func() { c.initialise(m) })
	case msgPing:
		c.write(pong(m))
	case msgSubscribe:
		c.subscribe(m)
	case msgComplete:
		c.forget(*m.ID)
	}
}

// watch does what is due by the clock: the pings, and the end of connections
// that were never initialised, whose credentials expire, or whose server stops.
func (c *connection) watch() {
	ping := time.NewTicker(c.h.opts.PingInterval)
	defer ping.Stop()
	late := time.NewTimer(c.h.opts.InitTimeout)
	defer late.Stop()
	var expired <-chan time.Time
	var ended <-chan struct{}
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.h.stop:
			c.close(closeGoingAway, "Going away")
			return
		case <-late.C:
			if !c.isAcked() {
				c.close(closeInitTimeout, "Connection initialisation timeout")
			}
		case t := <-c.terms:
			var stop func()
			expired, stop = expiry(t.expires)
			defer stop()
			ended = t.ended
		case <-ended:
			c.close(closeUnauthorized, "Credentials no longer valid")
		case <-expired:
			c.close(closeUnauthorized, "Credentials expired")
		case <-ping.C:
			deadline := time.Now().Add(c.h.opts.WriteTimeout)
			c.check(c.ws.WriteControl(websocket.PingMessage, nil, deadline))
		}
	}
}

// extend gives the client until the second ping from now to be heard of.
func (c *connection) extend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		_ = c.ws.SetReadDeadline(time.Now().Add(2*c.h.opts.PingInterval + c.h.opts.WriteTimeout))
	}
}

// write sends a message that belongs to no operation.
func (c *connection) write(data []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.isClosing() {
		c.put(data)
	}
}

// put writes with c.writing held. A client that does not read loses its
// connection: it resumes from its cursor.
func (c *connection) put(data []byte) {
	_ = c.ws.SetWriteDeadline(time.Now().Add(c.h.opts.WriteTimeout))
	c.check(c.ws.WriteMessage(websocket.TextMessage, data))
}

// close says why, ends the operations, and lets the reader wait for the
// client's own close frame. Only the first reason counts.
func (c *connection) close(code int, reason string) {
	c.mu.Lock()
	first := !c.closing
	c.closing = true
	c.mu.Unlock()
	if !first {
		return
	}
	frame := websocket.FormatCloseMessage(code, reason)
	_ = c.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(closeGrace))
	c.cancel()
	_ = c.ws.SetReadDeadline(time.Now().Add(closeGrace))
}

// check ends a connection that can't be written to. One that a close frame
// has just overtaken is about to end by itself.
func (c *connection) check(err error) {
	if err == nil || errors.Is(err, websocket.ErrCloseSent) {
		return
	}
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.cancel()
	_ = c.ws.Close()
}

func (c *connection) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

func (c *connection) isAcked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acked
}

func (c *connection) standUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leave != nil {
		c.leave()
	}
}
