package ent

import (
	"fmt"
	"testing"

	"portalhooks/delivery/storetest"
	"portalhooks/test/faults"
)

// Random commands of servers, reporters, admins and readers leave what a model
// says they leave.
func TestTortureModel(t *testing.T) {
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs, parts := faults.Rounds(12, 100), faults.Rounds(2, 4)
			commands := storetest.Model(t, openStore(t, url(t)), runs, parts)
			faults.Result{
				Fault: "random commands against a model of the store", Database: name, Rounds: runs,
				Note: fmt.Sprintf("%d commands, each followed by a comparison", commands),
			}.Report(t)
		})
	}
}
