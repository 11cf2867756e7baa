package cache

import (
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/memstore"
)

func TestConfigIsComparedAtMostOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.NewFaulty()
		store.OrgRows = []delivery.Organization{{ID: 1, ExternalID: "acme", ConfigVersion: 1}}
		k := NewWebhooks(store)
		get := func() *Config {
			t.Helper()
			c, err := k.Get(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		first := get()
		for range 100 {
			get()
		}
		if store.Calls["Config"] != 1 || store.Calls["OrganizationsByID"] != 0 {
			t.Errorf("calls = %v within a second", store.Calls)
		}
		time.Sleep(configAge)
		if get() != first || store.Calls["Config"] != 1 || store.Calls["OrganizationsByID"] != 1 {
			t.Errorf("calls = %v: what has not changed was read again", store.Calls)
		}
		store.Change(func() { store.OrgRows[0].ConfigVersion++ }) // by another process
		if get() != first {
			t.Error("the version was compared again at once")
		}
		time.Sleep(configAge)
		if got := get(); got == first || got.Org.ConfigVersion != 2 {
			t.Errorf("the change was not noticed after %s", configAge)
		}
		k.Drop(1)
		if get(); store.Calls["Config"] != 3 {
			t.Errorf("calls = %v after a drop", store.Calls)
		}
	})
}

func TestConfigReadBeforeADropIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.NewFaulty()
		store.OrgRows = []delivery.Organization{{ID: 1, ConfigVersion: 1}}
		store.Took["Config"] = time.Second / 2
		k := NewWebhooks(store)
		old := make(chan *Config)
		go func() {
			c, err := k.Get(t.Context(), 1)
			if err != nil {
				t.Error(err)
			}
			old <- c
		}()
		synctest.Wait() // the query is under way
		k.Drop(1)
		<-old
		if _, err := k.Get(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if n := store.Calls["Config"]; n != 2 {
			t.Errorf("%d reads: what was read before the drop was kept", n)
		}
	})
}

func TestConfigIsReadOnceForManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.NewFaulty()
		store.OrgRows = []delivery.Organization{{ID: 1, ConfigVersion: 1}}
		store.Took["Config"] = time.Second / 2
		k := NewWebhooks(store)
		done := make(chan error, 50)
		for range cap(done) {
			go func() { _, err := k.Get(t.Context(), 1); done <- err }()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := store.Calls["Config"]; n != 1 {
			t.Errorf("%d reads for 50 callers at once", n)
		}
	})
}

func TestUnknownOrganizationHasNoConfig(t *testing.T) {
	if _, err := NewWebhooks(memstore.New()).Get(t.Context(), 9); delivery.CodeOf(err) != delivery.NotFound {
		t.Errorf("err = %v, want %s", err, delivery.NotFound)
	}
}

// What the cache keeps is bounded by what it weighs, not by how many
// organizations it is, and templates are no part of it.
func TestConfigsAreKeptByWeight(t *testing.T) {
	const orgs = 40
	store := memstore.NewFaulty()
	for id := range delivery.OrgID(orgs) {
		store.OrgRows = append(store.OrgRows, delivery.Organization{ID: id + 1, ConfigVersion: 1})
		store.WebhookRows[delivery.WebhookID(id+1)] = &delivery.Webhook{
			ID: delivery.WebhookID(id + 1), Org: id + 1, Version: delivery.WebhookVersion{
				Template: "{}", Selection: delivery.Selection{Items: make([]delivery.ItemID, configsKept/8/orgs*2)},
			},
		}
	}
	k := NewWebhooks(store)
	for id := range delivery.OrgID(orgs) {
		c, err := k.Get(t.Context(), id+1)
		if err != nil {
			t.Fatal(err)
		}
		if c.Webhooks[0].Version.Template != "" {
			t.Error("a template is kept")
		}
	}
	if n := k.entries.entries.Len(); n < orgs/2-2 || n > orgs/2 {
		t.Errorf("%d of %d organizations are kept, each of a twentieth of the limit", n, orgs)
	}
}
