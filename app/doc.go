// Package app is the server, put together: the store, the service over it, the
// API over that, and the HTTP server around all.
//
// Settings are what it can be told; New opens and wires everything, App.Run
// serves until its context ends. Run does both, for the command line. A file is
// one thing to assemble: routes, development mode, the identity provider, rate
// limits, timeouts, traces.
package app
