package delivery

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"strings"
)

// What a report is about has three names, all pure functions of the report:
// its group, which receivers see; the keys of its facts, by which a fact is
// stored once; and a fingerprint, which tells a re-send from a clash.

// names32 spells hashes as ids are spelled.
var names32 = base32.NewEncoding(idDigits).WithPadding(base32.NoPadding)

// Hashed returns 128 bits of the parts' hash as 26 digits, behind a prefix. The
// parts' lengths are part of it, so that no two lists give the same.
func Hashed(prefix string, parts ...string) string {
	var room [256]byte
	text := room[:0]
	for _, part := range parts {
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	return string(names32.AppendEncode(append(room[:0], prefix...), sum[:16]))
}

// groupPrefix begins the id of a group.
const groupPrefix = "grp_"

// OperationGroup is shared by everything that one operation raises, also by
// the microservices that it runs.
func OperationGroup(org Organization, operationID string) GroupID {
	return GroupID(Hashed(groupPrefix, "operation", org.ExternalID, operationID))
}

// AlertGroup is shared by an alert's repeats on one device. Without a device
// the element that triggered it takes its place.
func AlertGroup(org Organization, r *ActiveAlertReport) GroupID {
	if r.Workspace != nil {
		return GroupID(Hashed(groupPrefix, "alert", org.ExternalID, r.Alert.ID, "workspace", r.Workspace.ID))
	}
	return GroupID(Hashed(groupPrefix, "alert", org.ExternalID, r.Alert.ID, "element", r.Alert.Element))
}

// SourceGroup is that of a single change.
func SourceGroup(org Organization, sourceEventID string) GroupID {
	return GroupID(Hashed(groupPrefix, "source", org.ExternalID, sourceEventID))
}

// SourceKey is the key of the one event of a report that is known by its
// sender's id alone.
func SourceKey(sourceEventID string) string { return key('s', sourceEventID) }

// OperationKey is the key of the event of a whole operation.
func OperationKey(operationID string) string { return key('o', operationID) }

// WorkspaceKey is the key of the event of an operation on one device.
func WorkspaceKey(operationID, workspaceID string) string {
	return key('w', operationID, workspaceID)
}

// MicroserviceKey is the key of the event of a microservice on one device.
func MicroserviceKey(operationID, microserviceID, workspaceID string) string {
	return key('m', operationID, microserviceID, workspaceID)
}

// key returns bytes that no other kind and ids have. They are ordered as the ids
// are: ids that grow with time, as Portal's do, make keys that follow one another,
// and those go to few places of an index. Keys are stored, and
// migrations spell them in SQL: what makes them never changes.
func key(kind byte, ids ...string) string {
	var room [128]byte
	k := append(room[:0], kind)
	for _, id := range ids {
		k = appendKeyPart(k, id)
	}
	if len(k) > maxKey {
		sum := sha256.Sum256(k)
		k = append(k[:1], 'h')
		k = append(k, sum[:]...)
	}
	return string(k)
}

// maxKey is the length that longer keys are hashed from. PostgreSQL's indexes
// take 2,700 bytes, and three ids could be longer; one never is.
const maxKey = 1100

// appendKeyPart adds an id so that its end is known. Hexadecimal digits, which
// most of Portal's ids are, take half their length.
func appendKeyPart(k []byte, id string) []byte {
	if packable(id) {
		k, _ = hex.AppendDecode(append(k, 'x', byte(len(id)/2)), []byte(id)) // which are hexadecimal digits
		return k
	}
	return append(append(append(k, 't'), id...), 0) // which no id contains
}

func packable(id string) bool {
	return len(id)%2 == 0 && len(id) <= MaxIDLength && strings.Trim(id, "0123456789abcdef") == ""
}

// ReportFingerprint hashes the payload of a report. What is around it doesn't count:
// the organization's name may change between a report and its re-send, and a
// sender may stamp each retry. Neither does the devices' order, which the
// caller sorts, nor the zone that a time is written in.
func ReportFingerprint(r *Report, devices []WorkspaceExecution) uint64 {
	var room [1 << 10]byte
	hash := fnv.New64a()
	_, _ = hash.Write(canonical(room[:0]).of(r, devices)) // which never fails
	return hash.Sum64()
}

// ExecutionFingerprint hashes how an operation went on a device: its times and
// its result. The device's names don't count.
func ExecutionFingerprint(e *WorkspaceExecution) uint64 {
	var room [128]byte
	hash := fnv.New64a()
	_, _ = hash.Write(canonical(room[:0]).execution(e)) // which never fails
	return hash.Sum64()
}
