package sqldb

import (
	"os"
	"testing"

	"portalhooks/ent/enttest"
)

func TestMain(m *testing.M) { os.Exit(enttest.Main(m)) }
