package ent

import (
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/storetest"
	"portalhooks/ent/enttest"
	"portalhooks/ent/sqldb"
)

// The whole contract holds through a pooler that gives each transaction another
// connection, and fewer of them than there are clients.
func TestStoreKeepsTheContractThroughAPooler(t *testing.T) {
	t.Parallel()
	pooler := enttest.NewPooler(t, enttest.Postgres(t), map[string]string{"default_pool_size": "3"})
	storetest.Run(t, func(t *testing.T) delivery.Store {
		s := openStore(t, pooler.Through(t, enttest.Postgres(t)))
		if db := s.db.(*sqldb.Postgres); !db.Pooled || db.Direct != "" {
			t.Errorf("pooled is %t with the direct way %q, want the pooler to be found", db.Pooled, db.Direct)
		}
		return s
	})
}
