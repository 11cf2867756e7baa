// Package storetest holds the tests that every delivery.Store must pass.
// They are the contract's law in the form of code: package ent runs them
// against each of its databases.
//
//	func TestStore(t *testing.T) { storetest.Run(t, openStore) }
//
// Files named config… test what admins configure, all others what happens to
// events and deliveries.
package storetest
