// Package feed lets any number of subscribers follow a log with several writers,
// such as the delivery log.
//
// Every entry belongs to a slot, one per writer, and has a number that increases
// within its slot in commit order. A global order cannot be read without missing
// entries that commit late, so a position in the log is a Vector: the latest number
// seen in each slot. A Cursor is a position as opaque text, from which a subscriber
// can resume.
//
// Subscribers pull. On a wake-up, a Hub reads the new entries once into a ring shared
// by all subscribers. A subscriber that is behind the ring reads pages from the log
// itself. Subscribers with the same Interest also share a view of the ring: an entry
// is matched once for all of them, and they are woken only if it matches. A thousand
// subscribers to failures therefore cost about as much as one. Nothing is buffered
// per subscriber, so slow subscribers need no backpressure. Every subscriber gets
// every entry exactly once.
package feed
