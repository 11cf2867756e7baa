package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"portalhooks/auth"
	"portalhooks/delivery"
	"portalhooks/httpserver"
)

// An identifier identifies the callers of the API. It counts credentials that are
// refused, and keeps the connections of those that are not.
type identifier struct {
	*auth.Authenticator
	refusals *httpserver.Refusals
}

// Request implements [portalhooks/graph.Authenticator].
func (i identifier) Request(r *http.Request) (delivery.Caller, time.Time, error) {
	caller, until, err := i.Authenticator.Request(r)
	switch delivery.CodeOf(err) {
	case delivery.Unauthenticated, delivery.Forbidden:
		i.refusals.Note(httpserver.BadCredentials, httpserver.Address(r.RemoteAddr))
	}
	if err == nil && caller.Known() {
		httpserver.Keep(r.Context(), caller.Share())
	}
	return caller, until, err
}

// ownFiles are the files that a server needs beside its connections and attempts:
// those of the database, of the log and the like.
const ownFiles = 64

// fewConnections are too few to serve.
const fewConnections = 32

// connections returns how many connections there may be, by how many files the
// system lets the server open: attempts need some of them, and must not fail because
// clients keep the others.
func (a *App) connections(ctx context.Context) (int, error) {
	files := maxFiles()
	idle := min(files/4, 1024) // connections to receivers that are kept for the next call
	most := httpserver.Fit(files, a.Settings.Workers+ownFiles+int(idle))
	switch {
	case most < fewConnections:
		return 0, fmt.Errorf("the system lets this process open %d files, which leaves %d for connections: "+
			"raise the limit (ulimit -n, LimitNOFILE) to 4096", files, most)
	case most < httpserver.MaxConnections:
		a.Log.WarnContext(ctx, "fewer connections than usual: raise the limit of open files to 4096",
			"connections", most, "files", files)
	}
	return most, nil
}
