// Package cli is the command line. A file is a command; config.go reads flags,
// environment variables and the settings file, client.go talks to a running
// server.
package cli
