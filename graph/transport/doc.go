// Package transport carries GraphQL between clients and an executable schema:
// over HTTP, over Server-Sent Events and over WebSocket, all at one address.
//
//	handler.go    one request in: origin, identity, the transport that takes it
//	http.go       POST and GET: the request's form, JSON or a stream, the answer's status
//	body.go       strict decoding of requests
//	direct.go     the short way for a known query with one large variable
//	accept.go     what the client can read
//	sse.go        a stream of events ("distinct connections" of graphql-sse)
//	websocket.go  one socket's life: reading, pings, close codes (graphql-transport-ws)
//	admission.go  who may use a socket, and until when
//	message.go    the words spoken on a socket
//	subscribe.go  the operations of one socket
//	operation.go  running one operation: time limit, panics, what a client may see of errors
//	trace.go      the spans of requests and operations, where somebody collects them
//	errors.go     the codes and the size of errors
//
// The package knows neither who calls nor what is asked: identity, limits and
// errors are seams of [Options], documents are held to package limits.
// gqlgen's executor does the work between.
//
// Operations belong to their connection: when it ends, so do they, and
// [Handler.Shutdown] returns only when the last one has.
package transport
