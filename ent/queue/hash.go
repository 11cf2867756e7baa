package queue

import (
	"crypto/sha256"
	"encoding/binary"

	"portalhooks/delivery"
)

// hashOf identifies text within an organization where the text itself would
// make an index large.
func hashOf(org delivery.OrgID, text string) [sha256.Size]byte {
	room := make([]byte, 0, 128) // on the stack: most texts are short
	return sha256.Sum256(append(binary.BigEndian.AppendUint64(room, uint64(org)), text...))
}

// shortHash is for indexes whose rows are compared with the text as well.
func shortHash(org delivery.OrgID, text string) int64 {
	h := hashOf(org, text)
	return int64(binary.BigEndian.Uint64(h[:8]))
}

// sourceHash is where an event is found by its source; 0 if its key serves that:
// indexes of hashes are the largest cost of storing events.
func sourceHash(e *delivery.Event, byKey bool) int64 {
	if byKey {
		return 0
	}
	return shortHash(e.Org, e.SourceEventID)
}

// ownKey is a deduplication key with the organization that it belongs to.
func ownKey(org delivery.OrgID, key string) []byte {
	room := make([]byte, 0, 8+len(key))
	return append(binary.BigEndian.AppendUint64(room, uint64(org)), key...)
}
