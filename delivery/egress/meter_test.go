package egress

import "testing"

func TestATimeOutSaysWhatItWaitedFor(t *testing.T) {
	said := map[string]step{}
	for at := preparing; at <= reading; at++ {
		if other, ok := said[at.String()]; ok {
			t.Errorf("steps %d and %d both say %q", other, at, at)
		}
		said[at.String()] = at
	}
}
