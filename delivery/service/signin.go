package service

import (
	"context"
	"slices"

	"portalhooks/delivery"
)

// signInOrgs is in how many organizations a sign-in is recorded.
const signInOrgs = 25

// SignedIn records that a person has signed in: in each organization where the person
// has a role or, for operators and people with roles in many, once for the platform. A
// sign-in that can't be recorded must be refused.
func (s *Service) SignedIn(ctx context.Context, c delivery.Caller) error {
	return s.store.Record(ctx, s.comings(c, delivery.SignedIn)...)
}

// SignedOut records that a person has signed out, in the same places.
func (s *Service) SignedOut(ctx context.Context, c delivery.Caller) error {
	return s.store.Record(ctx, s.comings(c, delivery.SignedOut)...)
}

func (s *Service) comings(c delivery.Caller, a delivery.Action) []delivery.AuditEntry {
	orgs := make([]delivery.OrgID, 0, len(c.Grants))
	for org := range c.Grants {
		orgs = append(orgs, org)
	}
	if c.Operator || len(orgs) == 0 || len(orgs) > signInOrgs {
		orgs = []delivery.OrgID{0}
	}
	slices.Sort(orgs)
	entries := make([]delivery.AuditEntry, len(orgs))
	for i, org := range orgs {
		entries[i] = entry(s.ids, c, org, a, delivery.AuditObject{}, nil)
	}
	return entries
}
