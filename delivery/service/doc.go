// Package service is what callers may ask for.
//
// Every method of a Service takes the Caller and checks its role first; the ids
// of another organization answer like ids that do not exist. A file has one noun
// that callers ask about: webhooks, deliveries, events, items, keys, the audit
// log, statistics.
//
// Service.Run owns the server's background work: its slot among the servers that
// share the store (membership.go), the pipeline, and maintenance, some of which
// only the leader does (maintenance.go, leader.go).
package service
