package ent

import (
	"fmt"
	"testing"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// What is registered is only read: reports name the same items all day, and on
// SQLite every write waits for the only writer.
func TestWhatIsTheSameIsNotWritten(t *testing.T) {
	s := openStore(t, databases["SQLite"](t))
	orgs := []delivery.Organization{{ID: 1, ExternalID: "one", Name: "One"}}
	items := make([]delivery.Item, 3*chunkSize)
	for i := range items {
		items[i] = delivery.Item{
			ID: delivery.ItemID(i + 1), Kind: delivery.AlertItem, ExternalID: fmt.Sprint("alert ", i),
			Name: "An alert",
		}
	}
	register := func() {
		t.Helper()
		if _, err := s.RegisterOrganizations(t.Context(), orgs); err != nil {
			t.Fatal(err)
		}
		if _, err := s.RegisterItems(t.Context(), 1, items); err != nil {
			t.Fatal(err)
		}
		if err := s.TouchKey(t.Context(), 1, sqldb.TimeOf(1)); err != nil {
			t.Fatal(err)
		}
	}
	register()
	// Without the only connection that writes, reading still works.
	if err := s.db.Writer().Close(); err != nil {
		t.Fatal(err)
	}
	register()
}

func TestFold(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"case":              {"ABC", "abc"},
		"accents":           {"Conexión CAÇA", "conexion caca"},
		"letters stay":      {"ß Ж 中", "ß ж 中"},
		"combining accents": {"e\u0301", "e"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fold(tt.in); got != tt.want {
				t.Errorf("fold(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}
