package fair

import (
	"reflect"
	"testing"

	"portalhooks/delivery"
)

// The database may lease deliveries again that this server still holds, when its
// clock jumps ahead. Whichever of the two is first, the end of the claim or the
// result of the first attempt, the delivery is not sent twice.
func TestClaimsDoNotSendWhatIsHeldOrJustLeft(t *testing.T) {
	jobs := func(ids ...delivery.DeliveryID) (all []delivery.Job) {
		for _, id := range ids {
			all = append(all, delivery.Job{Delivery: delivery.Delivery{ID: id}})
		}
		return all
	}
	m := NewMemory(100)
	m.Reserve(3, false)
	m.Add(jobs(1, 2, 3))
	m.Free(1)

	m.BeginClaim()
	m.Free(2)
	absent, freed := m.EndClaim(jobs(1, 2, 3, 4))
	if want := jobs(1, 4); !reflect.DeepEqual(absent, want) {
		t.Errorf("to send: %v, want %v", absent, want)
	}
	if want := jobs(2); !reflect.DeepEqual(freed, want) {
		t.Errorf("left during the claim: %v, want %v", freed, want)
	}

	m.BeginClaim()
	if absent, freed = m.EndClaim(jobs(2)); len(absent) != 1 || len(freed) != 0 {
		t.Errorf("by the next claim %d are to send and %d left, want 1 and 0", len(absent), len(freed))
	}
	if held := m.Held(); held != 1 {
		t.Errorf("%d deliveries are held, want 1", held)
	}
}
