package delivery

import (
	"encoding/json"
	"time"
)

// sampleVariables returns the catalogue's samples as an event's variables.
func sampleVariables(info TypeInfo) json.RawMessage {
	v := make(Variables, 0, len(info.Variables))
	for _, one := range info.Variables {
		if one.Type == IntegerVariable || one.Type == JSONVariable {
			v.JSON(one.Name, []byte(one.Sample))
		} else {
			v.Text(one.Name, one.Sample)
		}
	}
	return v.Encode()
}

// SampleEvent returns an event with the catalogue's sample values, as if it had
// happened in org. It has no id and no item.
func SampleEvent(t EventType, org Organization, now time.Time) Event {
	e := Event{
		Org: org.ID, Type: t, OccurredAt: now.UTC(), ReceivedAt: now.UTC(), Test: true,
		SourceEventID: "sample", Variables: catalogue().samples[t],
	}
	var said struct {
		At            time.Time `json:"timestamp"`
		Group         GroupID   `json:"group_id"`
		WorkspaceID   string    `json:"workspace_id"`
		WorkspaceName string    `json:"workspace_name"`
	}
	if err := json.Unmarshal(e.Variables, &said); err == nil {
		e.OccurredAt, e.Group = said.At, said.Group
		e.WorkspaceID, e.WorkspaceName = said.WorkspaceID, said.WorkspaceName
	}
	e.Variables = withOrganization(e.Variables, org)
	return e
}

// withOrganization replaces the sample organization by org, if there is one.
func withOrganization(samples json.RawMessage, org Organization) json.RawMessage {
	var fields map[string]json.RawMessage
	if org.ExternalID == "" || json.Unmarshal(samples, &fields) != nil {
		return samples
	}
	v := make(Variables, 0, len(fields))
	for name, value := range fields {
		v.JSON(name, value)
	}
	v.Text(VarOrgID, org.ExternalID)
	v.Text(VarOrgName, org.Name)
	return v.Encode()
}
