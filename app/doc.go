// Package app assembles the server: the store, the service on it, the API on that,
// and the HTTP server around everything.
//
// Settings configure it. New opens and connects the parts, App.Run serves until its
// context ends, and Run does both, for the command line. A file assembles one part:
// listeners, routes, development mode, the identity provider, rate limits, timeouts,
// traces.
package app
