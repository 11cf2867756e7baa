// Package memstore keeps the domain in memory, for tests.
package memstore
