package cluster

import (
	"testing"

	"portalhooks/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
