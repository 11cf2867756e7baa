package delivery

import (
	"testing"
	"time"
)

// A bound never goes back when its time goes on, however far.
func TestIDsOfLaterTimesAreNotSmaller(t *testing.T) {
	t.Parallel()
	var last int64
	for _, at := range []time.Time{
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), idEpoch, idEpoch.Add(time.Hour),
		time.Date(2092, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2094, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		id := IDAt[int64](at)
		if id < last || id < 0 {
			t.Errorf("the id at %s is %d, smaller than that of an earlier time", at, id)
		}
		last = id
	}
}
