// Package storetest is the contract suite of [delivery.Store]: the tests that
// every implementation must pass. Package ent runs it on each of its databases,
// package memstore on the store in memory.
//
//	func TestStore(t *testing.T) { storetest.Run(t, openStore) }
//
// Files named config… test organizations, items, webhooks, keys, sessions and
// the audit log. Files named model… are a model-based test, see [Model]. All
// others test events, deliveries, the queue, the log, and membership.
package storetest
