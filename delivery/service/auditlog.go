package service

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"

	"portalhooks/delivery"
)

// AuditLog lists what was done in an organization, or with org 0, which is for
// operators, everywhere; the newest comes first. Only the organization's admins
// and operators may read it.
func (s *Service) AuditLog(
	ctx context.Context, c delivery.Caller, org delivery.OrgID, f delivery.AuditFilter, p delivery.Page,
) (delivery.Slice[delivery.AuditEntry], error) {
	if err := c.CheckAudit(org); err != nil {
		return delivery.Slice[delivery.AuditEntry]{}, err
	}
	p, err := p.Bounded()
	if err != nil {
		return delivery.Slice[delivery.AuditEntry]{}, err
	}
	return s.store.AuditLog(ctx, org, f, p)
}

// entry begins a record of what the caller does.
func entry(
	ids *delivery.IDs, c delivery.Caller, org delivery.OrgID, a delivery.Action, o delivery.AuditObject,
	changes []delivery.Change,
) delivery.AuditEntry {
	return delivery.AuditEntry{
		ID: delivery.AuditID(
			ids.Next(),
		), Org: org, At: delivery.Now(), Action: a, Actor: c.Actor(), Object: o, Changes: changes,
		Request: c.Request, Address: c.Address,
	}
}

// traits are the fields of a thing as the audit log shows them, in order.
type traits []trait

type trait struct {
	field string
	value any    // nil for nothing
	exact string // tells values apart that are shown alike; never stored
}

// differences compares the traits of a thing before and after; nil stands for a
// thing that is not there.
func differences(before, after traits) []delivery.Change {
	if before == nil {
		before = make(traits, len(after))
	}
	if after == nil {
		after = make(traits, len(before))
	}
	var changes []delivery.Change
	for i, is := range after {
		was := before[i]
		c := delivery.Change{Field: cmp.Or(is.field, was.field), Before: was.text(), After: is.text()}
		if was.exact != is.exact || !bytes.Equal(c.Before, c.After) {
			changes = append(changes, c)
		}
	}
	return changes
}

// text returns the value as JSON, nil for nothing.
func (f trait) text() json.RawMessage {
	if f.value == nil {
		return nil
	}
	text, err := json.Marshal(f.value)
	if err != nil {
		return nil // traits are texts, numbers and structs of these
	}
	return text
}
