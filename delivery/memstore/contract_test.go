package memstore

import (
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/storetest"
)

func TestStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) delivery.Store { return New() })
}

func TestStoreBehavesAsTheModel(t *testing.T) {
	const runs, parts = 50, 2
	if commands := storetest.Model(t, New(), runs, parts); commands < runs {
		t.Errorf("the model made %d commands, want at least one a run", commands)
	}
}
