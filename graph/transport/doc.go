// Package transport carries GraphQL between clients and an executable schema:
// over HTTP, over Server-Sent Events and over WebSocket, all at one address.
//
//	handler.go    one request in: origin, identity, the transport that takes it
//	http.go       POST and GET: request format, content negotiation, response status
//	body.go       strict decoding of requests
//	direct.go     direct decoding of the only variable of a known query
//	accept.go     the media types that the client accepts
//	sse.go        a stream of events ("distinct connections" of graphql-sse)
//	websocket.go  the lifecycle of a socket: reading, pings, close codes (graphql-transport-ws)
//	admission.go  the authorization of a socket and its expiry
//	message.go    the messages of a socket
//	subscribe.go  the operations of a socket
//	operation.go  the execution of an operation: timeout, panics, errors
//	trace.go      the spans of requests and operations
//	errors.go     the codes and the size limits of errors
//
// The package depends on neither callers nor the schema: identity, rate limits
// and the presentation of errors are functions in [Options], and package limits
// bounds documents. gqlgen's executor executes the operations.
//
// The operations of a connection end with it, and [Handler.Shutdown] returns
// after the last operation.
package transport
