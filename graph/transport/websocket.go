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

// closeGrace is the timeout for a client's close frame, and lingerBytes the
// number of bytes that are discarded during it after a message that was too long.
// Closing the connection immediately could drop a frame that is in flight.
const (
	closeGrace  = 2 * time.Second
	lingerBytes = 1 << 20
)

// webSocketTransport implements graphql-transport-ws.
type webSocketTransport struct{ h *Handler }

func (webSocketTransport) Supports(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

func (t webSocketTransport) Do(w http.ResponseWriter, r *http.Request, _ graphql.GraphExecutor) {
	upgrader := websocket.Upgrader{
		HandshakeTimeout: t.h.opts.WriteTimeout,
		Subprotocols:     []string{subprotocol},
		CheckOrigin:      func(*http.Request) bool { return true }, // checked by ServeHTTP
	}
	ws, err := upgrader.Upgrade(hijacker{w}, r, http.Header{requestIDHeader: {RequestID(r.Context())}})
	if err != nil {
		return // Upgrade has responded
	}
	ctx, cancel := context.WithCancel(r.Context())
	c := &connection{
		h:        t.h,
		ws:       ws,
		remote:   r.RemoteAddr,
		ctx:      ctx,
		cancel:   cancel,
		validity: make(chan validity, 1),
		active:   map[string]*operation{},
	}
	c.serve()
}

// hijacker lets gorilla hijack a connection through the wrappers that middleware
// puts around a ResponseWriter.
type hijacker struct{ http.ResponseWriter }

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(h.ResponseWriter).Hijack()
}

// A connection is a socket from its upgrade to its end. It has one goroutine for
// reading, one for timers, and one for each operation; serve returns after all of
// them.
type connection struct {
	h        *Handler
	ws       *websocket.Conn
	remote   string
	ctx      context.Context // ends with the connection; has the identity from Authenticate
	cancel   context.CancelFunc
	validity chan validity // receives once, when the credentials are accepted
	work     sync.WaitGroup

	initialised bool // connection_init was received; used by the read loop only

	writing sync.Mutex // held while a message is written; taken before mu

	mu      sync.Mutex
	closing bool
	acked   bool
	caller  context.Context // from ConnectionInit; set once acked
	active  map[string]*operation
	running int    // operations that have not returned, active or not
	release func() // see Handler.acquire; nil before acked
}

// validity is how long accepted credentials are valid.
type validity struct {
	expires time.Time       // zero for never
	ended   <-chan struct{} // closed when they are revoked; nil if they cannot be
}

func (c *connection) serve() {
	defer c.ws.Close()
	defer c.releaseCount()
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

// read handles messages until the connection fails. After a close frame is sent,
// it discards messages until the client responds or closeGrace is over.
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
		c.complete(*m.ID)
	}
}

// watch sends the pings, and closes the connection if it is not initialised in
// time, if its credentials expire or are revoked, or if the server shuts down.
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
		case v := <-c.validity:
			var stop func()
			expired, stop = expiry(v.expires)
			defer stop()
			ended = v.ended
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

// extend moves the read deadline past the second ping from now.
func (c *connection) extend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		_ = c.ws.SetReadDeadline(time.Now().Add(2*c.h.opts.PingInterval + c.h.opts.WriteTimeout))
	}
}

// write sends a message that does not belong to an operation.
func (c *connection) write(data []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.isClosing() {
		c.put(data)
	}
}

// put writes a message with c.writing held. A client that does not read is
// disconnected, and may resume from its cursor.
func (c *connection) put(data []byte) {
	_ = c.ws.SetWriteDeadline(time.Now().Add(c.h.opts.WriteTimeout))
	c.check(c.ws.WriteMessage(websocket.TextMessage, data))
}

// close sends a close frame with the reason, cancels the operations, and lets the
// read loop wait for the client's close frame. Later calls have no effect.
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

// check closes the connection after a write error, unless a close frame was sent
// before, after which the connection ends on its own.
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

func (c *connection) releaseCount() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.release != nil {
		c.release()
	}
}
