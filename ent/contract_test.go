package ent

import (
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/storetest"
)

var _ delivery.Store = (*Store)(nil)

func TestStoreKeepsTheContract(t *testing.T) {
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) delivery.Store { return openStore(t, url(t)) })
		})
	}
}
