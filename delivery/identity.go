package delivery

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
)

// What a report is about has three names, all pure functions of the report:
// its group, which receivers see; the keys of its facts, by which a fact is
// stored once; and a fingerprint, which tells a re-send from a clash.

// names32 spells hashes as ids are spelled.
var names32 = base32.NewEncoding(idDigits).WithPadding(base32.NoPadding)

// hashed returns 128 bits of the parts' hash as 26 digits. The parts' lengths
// are part of it, so that no two lists give the same.
func hashed(parts ...string) string {
	var room [256]byte
	text := room[:0]
	for _, part := range parts {
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	return names32.EncodeToString(sum[:16])
}

func groupOf(kind string, parts ...string) GroupID {
	return GroupID("grp_" + hashed(append([]string{kind}, parts...)...))
}

// operationGroup is shared by everything that one operation raises, also by
// the microservices that it runs.
func operationGroup(org Organization, operationID string) GroupID {
	return groupOf("operation", org.ExternalID, operationID)
}

// alertGroup is shared by an alert's repeats on one device. Without a device
// the element that triggered it takes its place.
func alertGroup(org Organization, r *ActiveAlertReport) GroupID {
	if r.Workspace != nil {
		return groupOf("alert", org.ExternalID, r.Alert.ID, "workspace", r.Workspace.ID)
	}
	return groupOf("alert", org.ExternalID, r.Alert.ID, "element", r.Alert.Element)
}

// sourceGroup is that of a single change.
func sourceGroup(org Organization, sourceEventID string) GroupID {
	return groupOf("source", org.ExternalID, sourceEventID)
}

// The keys of facts. They are short whatever Portal's ids are, and the letter
// in front keeps the kinds apart.
func sourceKey(sourceEventID string) string { return "s" + hashed(sourceEventID) }

func operationKey(operationID string) string { return "o" + hashed(operationID) }

func workspaceKey(operationID, workspaceID string) string {
	return "w" + hashed(operationID, workspaceID)
}

func microserviceKey(operationID, microserviceID, workspaceID string) string {
	return "m" + hashed(operationID, microserviceID, workspaceID)
}

// fingerprint hashes the payload of a report. What is around it doesn't count:
// the organization's name may change between a report and its re-send, and a
// sender may stamp each try anew. Neither does the devices' order, which the
// caller sorts.
func fingerprint(r *Report, devices []WorkspaceExecution) uint64 {
	body := struct {
		Alert     *ActiveAlertReport
		Object    *ObjectReport
		Operation *OperationReport
		Devices   []WorkspaceExecution
	}{Object: r.ObjectChange, Devices: devices}
	// Times are the same whatever the zone that they are written in.
	if r.ActiveAlert != nil {
		alert := *r.ActiveAlert
		alert.Alert.Start = alert.Alert.Start.UTC()
		body.Alert = &alert
	}
	if r.Operation != nil {
		operation := *r.Operation
		operation.Workspaces = nil
		operation.StartDate, operation.EndDate = operation.StartDate.UTC(), operation.EndDate.UTC()
		body.Operation = &operation
	}
	hash := fnv.New64a()
	// Texts and times within the years 1 to 9999 can always be encoded.
	_ = json.NewEncoder(hash).Encode(body)
	return hash.Sum64()
}
