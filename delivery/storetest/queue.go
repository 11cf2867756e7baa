package storetest

import (
	"maps"
	"testing"

	"portalhooks/delivery"
)

// runQueue tests the Queue, the Log, Membership, Maintenance and the stores of
// events and deliveries. A claim sees the whole store, so each test opens one of
// its own.
func runQueue(t *testing.T, open func(t *testing.T) delivery.Store) {
	tests := map[string]func(*scene){}
	for _, some := range []map[string]func(*scene){
		ingestTests, claimTests, fairTests, settleTests, releaseTests, recallTests, logTests,
		eventTests, listTests, memberTests, discardTests, orderTests, countTests,
	} {
		maps.Copy(tests, some)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newScene(t, open(t)))
		})
	}
}
