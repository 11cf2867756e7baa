// Package delivery has the nouns of the domain and the rules about them.
//
// A Webhook of an Organization sends a message for each Event of its type that
// happens to a selected Item. A Delivery is one message owed to one webhook for
// one event; an Attempt is one HTTP call for it. The rules are pure functions of
// these: whether a webhook fires for an event (Match), what an attempt leads to
// (Judge), which fact a report is about (the keys and fingerprints of
// identity.go), what a Caller may do.
//
// The package declares the Store that keeps all of it; package ent provides one
// on SQLite and PostgreSQL, package memstore one in memory. What an event goes
// through is package pipeline; what callers may ask for is package service. This
// package knows neither, nor GraphQL or SQL.
package delivery
