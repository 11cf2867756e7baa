package delivery

import "time"

const (
	// SlotTTL is how long a server may be silent before the others take over what it
	// holds: the ttl that callers pass to Join and Heartbeat.
	SlotTTL = 6 * time.Second
	// JobLease is how long a delivery is leased to a server: the longest attempt, and
	// a while to wait for a worker.
	JobLease = 2 * MaxTimeout
)
