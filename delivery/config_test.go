package delivery

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestConfigIsComparedAtMostOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.orgs = []Organization{{ID: 1, ExternalID: "acme", ConfigVersion: 1}}
		k := NewWebhookCache(store)
		get := func() *OrgWebhooks {
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
		if store.calls["Config"] != 1 || store.calls["OrganizationsByID"] != 0 {
			t.Errorf("calls = %v within a second", store.calls)
		}
		time.Sleep(configAge)
		if get() != first || store.calls["Config"] != 1 || store.calls["OrganizationsByID"] != 1 {
			t.Errorf("calls = %v: what has not changed was read again", store.calls)
		}
		store.change(func() { store.orgs[0].ConfigVersion++ }) // by another process
		if get() != first {
			t.Error("the version was compared again at once")
		}
		time.Sleep(configAge)
		if got := get(); got == first || got.Org.ConfigVersion != 2 {
			t.Errorf("the change was not noticed after %s", configAge)
		}
		k.Drop(1)
		if get(); store.calls["Config"] != 3 {
			t.Errorf("calls = %v after a drop", store.calls)
		}
	})
}

func TestConfigReadBeforeADropIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.orgs = []Organization{{ID: 1, ConfigVersion: 1}}
		store.took["Config"] = time.Second / 2
		k := NewWebhookCache(store)
		old := make(chan *OrgWebhooks)
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
		if n := store.calls["Config"]; n != 2 {
			t.Errorf("%d reads: what was read before the drop was kept", n)
		}
	})
}

func TestConfigIsReadOnceForManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.orgs = []Organization{{ID: 1, ConfigVersion: 1}}
		store.took["Config"] = time.Second / 2
		k := NewWebhookCache(store)
		done := make(chan error, 50)
		for range cap(done) {
			go func() { _, err := k.Get(t.Context(), 1); done <- err }()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := store.calls["Config"]; n != 1 {
			t.Errorf("%d reads for 50 callers at once", n)
		}
	})
}

func TestUnknownOrganizationHasNoConfig(t *testing.T) {
	if _, err := NewWebhookCache(newFakeStore()).Get(t.Context(), 9); CodeOf(err) != NotFound {
		t.Errorf("err = %v, want %s", err, NotFound)
	}
}

func TestLearnerTakesNewNames(t *testing.T) {
	store := newFakeStore()
	l := newRegister(store, NewIDs(1))
	learn := func(name string) Item {
		t.Helper()
		facts := []fact{{Kind: AlertItem, Item: ReportedItem{ID: "a", Name: name}}}
		if err := l.items(t.Context(), 1, facts); err != nil || facts[0].ItemID != store.items[0].ID {
			t.Fatalf("facts = %v, err = %v", facts, err)
		}
		return store.items[0]
	}
	for _, tt := range []struct{ reported, want string }{
		{"", "a"}, {"Alert", "Alert"}, {"", "Alert"}, {"Renamed", "Renamed"},
	} {
		if got := learn(tt.reported).Name; got != tt.want {
			t.Errorf("reported as %q: the name is %q, want %q", tt.reported, got, tt.want)
		}
	}
	orgs, err := l.organizations(t.Context(), []namedOrg{{"acme", ""}, {"acme", "Acme"}, {"b", "B"}})
	if err != nil || orgs["acme"].Name != "Acme" || len(orgs) != 2 {
		t.Errorf("organizations = %v, err = %v", orgs, err)
	}
	if orgs, err = l.organizations(t.Context(), []namedOrg{{
		"acme",
		"Acme 2",
	}}); err != nil || orgs["acme"].Name != "Acme 2" {
		t.Errorf("organizations = %v, err = %v", orgs, err)
	}
}
