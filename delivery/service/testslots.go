package service

import (
	"sync"

	"portalhooks/delivery"
)

// maxTests bounds the tests of webhooks that this server makes at once: each
// keeps its caller waiting for the receiver. Of one organization it makes
// maxOrgTests at once.
const (
	maxTests    = 16
	maxOrgTests = 4
)

// A testSlots counts the tests that are going on.
type testSlots struct {
	mu   sync.Mutex
	all  int
	orgs map[delivery.OrgID]int
}

// take begins a test for an organization, which ends with free. It returns
// Unavailable when too many are going on.
func (s *testSlots) take(org delivery.OrgID) (free func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.orgs[org] >= maxOrgTests:
		return nil, delivery.Errorf(delivery.Unavailable, "",
			"%d webhooks of this organization are being tested right now. Try again when one is done.", maxOrgTests)
	case s.all >= maxTests:
		return nil, delivery.Errorf(
			delivery.Unavailable, "", "Too many webhooks are being tested right now. Try again in a moment.",
		)
	}
	s.all++
	s.orgs[org]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.orgs[org]--; s.orgs[org] == 0 {
			delete(s.orgs, org)
		}
	}, nil
}
