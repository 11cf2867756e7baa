package transport

import (
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// subprotocol is the only WebSocket subprotocol.
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

// maxID is the maximum length of an operation's id. Ids are kept in memory and
// appear in close reasons, which are limited to 123 bytes.
const maxID = 64

// A message is a message from a client.
type message struct {
	ID      *string         `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// decodeMessage decodes a message from a client. For an invalid message it
// returns a reason that fits in a close frame.
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

// object returns the payload as an object; nil if there is none.
func (m message) object() (map[string]any, *gqlerror.Error) {
	var payload map[string]any
	if len(m.Payload) == 0 {
		return nil, nil
	}
	err := decode(m.Payload, &payload)
	return payload, err
}

// pong returns the response to a ping, with the payload of the ping.
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

// failed returns the error message that ends an operation.
func failed(id string, errs gqlerror.List) []byte {
	list, err := json.Marshal(errs)
	if err != nil {
		list = []byte(`[{"message":"The errors cannot be encoded as JSON."}]`)
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
