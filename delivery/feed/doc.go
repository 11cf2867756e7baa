// Package feed lets any number of subscribers follow a log that several
// writers append to.
//
// Every entry belongs to a slot, one per writer, and has a number that grows
// within its slot in the order of commits. There is no order over all slots
// that could be read without missing entries that commit late, so a position
// in the log is a Vector: the latest number seen of each slot. A Cursor is a
// Vector as opaque text, which a subscriber keeps and comes back with.
//
// Subscribers pull. A Hub reads new entries once, after a wake-up, into a ring
// that all subscribers share; one that has fallen behind the ring, or starts
// in the past, reads pages from the log itself. Subscribers with the same
// Interest share a view of the ring as well: an entry is looked at once for
// all of them, and only when they want it they are woken and told a cursor. So
// a thousand who watch for failures cost about as much as one. Nothing is
// buffered for a subscriber, so a slow one costs nothing and harms nobody.
// Nobody misses an entry and nobody gets one twice.
package feed
