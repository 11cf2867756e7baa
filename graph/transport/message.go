package transport

import (
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// subprotocol is the only one spoken on sockets.
const subprotocol = "graphql-transport-ws"

// The types of messages.
const (
	msgInit      = "connection_init"
	msgAck       = "connection_ack"
	msgPing      = "ping"
	msgPong      = "pong"
	msgSubscribe = "subscribe"
	msgNext      = "next"
	msgError     = "error"
	msgComplete  = "complete"
)

// The codes that close a socket, from the protocol or, below 4000, from
// RFC 6455 and its registry.
const (
	closeGoingAway     = 1001
	closeTryAgainLater = 1013
	closeBadRequest    = 4400
	closeUnauthorized  = 4401
	closeForbidden     = 4403
	closeBadProtocol   = 4406
	closeInitTimeout   = 4408
	closeDuplicate     = 4409
	closeTooManyInits  = 4429
	closeInternal      = 4500
)

// maxID bounds the ids of operations: they are kept, and named in a close
// reason, which has room for 123 bytes.
const maxID = 64

// A message is what a client may say.
type message struct {
	ID      *string         `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// decodeMessage reads one message of a client. The reason it gives for
// refusing one is short enough for a close frame.
func decodeMessage(data []byte) (message, string) {
	var m message
	if err := decode(data, &m, "id", "type", "payload"); err != nil {
		return m, "Invalid message: not a JSON object of the protocol"
	}
	switch m.Type {
	case msgSubscribe, msgComplete:
		if m.ID == nil || *m.ID == "" {
			return m, "Invalid message: the id is missing"
		}
		if len(*m.ID) > maxID {
			return m, "Invalid message: the id is too long"
		}
	case msgInit, msgPing, msgPong:
		if _, err := m.object(); err != nil {
			return m, "Invalid message: the payload must be an object"
		}
	case "":
		return m, "Invalid message: the type is missing"
	default:
		return m, "Invalid message: unknown type"
	}
	return m, ""
}

// object returns the payload as an object, nil when there is none.
func (m message) object() (map[string]any, *gqlerror.Error) {
	var payload map[string]any
	if len(m.Payload) == 0 {
		return nil, nil
	}
	err := decode(m.Payload, &payload)
	return payload, err
}

// pong answers a ping with its own payload.
func pong(m message) []byte {
	reply := struct {
		Type    string          `json:"type"`
		Payload json.RawMessage `json:"payload,omitempty"`
	}{msgPong, m.Payload}
	data, err := json.Marshal(reply)
	if err != nil {
		return []byte(`{"type":"pong"}`)
	}
	return data
}

func ack() []byte { return []byte(`{"type":"connection_ack"}`) }

func next(id string, resp *graphql.Response) []byte {
	return envelope(id, msgNext, encode(resp))
}

// failed is the last message of an operation that was not executed.
func failed(id string, errs gqlerror.List) []byte {
	list, err := json.Marshal(errs)
	if err != nil {
		list = []byte(`[{"message":"The errors cannot be written as JSON."}]`)
	}
	return envelope(id, msgError, list)
}

func complete(id string) []byte { return envelope(id, msgComplete, nil) }

func envelope(id, kind string, payload []byte) []byte {
	quoted, err := json.Marshal(id)
	if err != nil {
		quoted = []byte(`""`) // strings always have a JSON form
	}
	data := make([]byte, 0, len(payload)+len(quoted)+48)
	data = append(append(append(data, `{"id":`...), quoted...), `,"type":"`...)
	data = append(append(data, kind...), '"')
	if payload != nil {
		data = append(append(data, `,"payload":`...), payload...)
	}
	return append(data, '}')
}
