package delivery

import "time"

// WatchInput says what a subscriber wants to see.
type WatchInput struct {
	Org    OrgID  // 0 for every organization, operators only
	After  string // a cursor that an earlier item carried; "" for from now on
	Filter DeliveryFilter
}

// A LogItem is one message to a subscriber: an entry of the log, a gap, or else a
// heartbeat.
type LogItem struct {
	Cursor      string // pass it as After to resume behind this item
	At          time.Time
	Entry       *LogEntry // shared: not to be changed
	Replayed    bool      // the entry is older than this call of Watch
	Gap         bool      // entries since MissedSince are no longer kept
	MissedSince time.Time
}
