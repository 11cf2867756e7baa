// Package memstore keeps the domain in memory, for tests.
//
// [Store] implements [delivery.Store] with the semantics of the databases: it
// passes the contract suite of package storetest. It runs no goroutine and
// needs no clean-up, so it works inside a bubble of testing/synctest, and
// several services may share one Store as servers share a database.
//
// The state is in tables, one for each noun, and every file has the methods of
// one noun. A test may look into the tables, or prepare a state that no method
// makes, within [Store.Change].
//
// A Store never fails. [Faulty] is a Store with faults: it fails, delays,
// counts or cuts off chosen calls.
package memstore
