package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"portalhooks/delivery"
)

// A desk is the fixture of one configuration test: an organization of its own
// in a store that it shares with other tests.
type desk struct {
	*testing.T
	store delivery.Store
	ids   *delivery.IDs
	org   delivery.Organization
}

// at is a time that every database stores exactly.
var at = time.Date(2026, 3, 4, 5, 6, 7, 891_234_000, time.UTC)

// runConfig tests organizations, items, webhooks, keys, sessions and the audit
// log. The tests share one store, as organizations do.
func runConfig(t *testing.T, open func(t *testing.T) delivery.Store) {
	store, ids := open(t), delivery.NewIDs(1)
	var number atomic.Int64
	for name, test := range map[string]func(d *desk){
		"organizations are registered once":            testRegisterOrganizations,
		"organizations are registered by many at once": testRegisterOrganizationsTogether,
		"organizations are found":                      testOrganizations,
		"items are registered":                         testRegisterItems,
		"items are registered by many at once":         testRegisterItemsTogether,
		"thousands of items are registered":            testRegisterManyItems,
		"items are synced":                             testSyncItems,
		"items are found":                              testItems,
		"webhooks are kept whole":                      testWebhookRoundTrip,
		"webhooks are found":                           testWebhooks,
		"webhooks are paged both ways":                 testWebhookPages,
		"foreign cursors are refused":                  testForeignCursors,
		"twins are refused":                            testTwins,
		"of concurrent twins one is stored":            testConcurrentTwins,
		"updates compare the version":                  testUpdate,
		"of concurrent updates one is stored":          testConcurrentUpdates,
		"deleted webhooks stay readable":               testDelete,
		"secrets are replaced":                         testSecrets,
		"every change raises the ConfigVersion":        testConfigVersion,
		"config is read together":                      testConfigTogether,
		"another organization's webhooks are hidden":   testOtherOrganization,
		"versions of a time":                           testVersionsBetween,
		"versions are listed newest first":             testVersions,
		"health is merged":                             testHealth,
		"failing webhooks are found":                   testFailingWebhooks,
		"a failing webhook is noticed once":            testNotices,
		"a notice is given by one server":              testNoticesAtOnce,
		"keys":                                         testKeys,
		"sessions":                                     testSessions,
		"sessions of a person are bounded":             testSessionsOfAPerson,
		"sessions that are over are discarded":         testDiscardSessions,
		"two keys of a client work at a time":          testKeysOfAClient,
		"of concurrent keys two are stored":            testKeysTogether,
		"keys are found by their maker":                testKeysOfAMaker,
		"a key comes with its record":                  testKeyRecords,
		"changes come with their records":              testRecords,
		"the audit log is read newest first":           testAuditLog,
		"the audit log is filtered":                    testAuditFilter,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := number.Add(1)
			d := &desk{T: t, store: store, ids: ids}
			d.org = d.register(fmt.Sprintf("config-%d", n), fmt.Sprintf("Organization %d", n))
			test(d)
		})
	}
}

// must returns v, and fails the test when err is not nil.
func must[V any](v V, err error) func(d *desk) V {
	return func(d *desk) V {
		d.Helper()
		if err != nil {
			d.Fatal(err)
		}
		return v
	}
}

// ok fails the test when err is not nil.
func (d *desk) ok(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// refused fails the test unless err has the code.
func (d *desk) refused(err error, code delivery.Code) {
	d.Helper()
	d.refusal(err, &delivery.Error{Code: code})
}

// refusal is refused for an error that also names a Field or a Twin.
func (d *desk) refusal(err error, want *delivery.Error) {
	d.Helper()
	e, ok := errors.AsType[*delivery.Error](err)
	if !ok || e.Code != want.Code || e.Message == "" {
		d.Fatalf("got error %v, want one with code %s that says something", err, want.Code)
	}
	if want.Field != "" && e.Field != want.Field || want.Twin != 0 && e.Twin != want.Twin {
		d.Errorf("the error blames the field %q and the webhook %s, want %q and %s",
			e.Field, e.Twin, want.Field, want.Twin)
	}
}

// same fails the test unless the values are deeply equal.
func same[V any](d *desk, what string, got, want V) {
	d.Helper()
	if !reflect.DeepEqual(got, want) {
		d.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// register stores an organization and returns it.
func (d *desk) register(externalID, name string) delivery.Organization {
	d.Helper()
	orgs := must(d.store.RegisterOrganizations(d.Context(), []delivery.Organization{
		{ID: delivery.OrgID(d.ids.Next()), ExternalID: externalID, Name: name, CreatedAt: at},
	}))(d)
	return orgs[0]
}

// item returns a new alert item, which is not stored.
func (d *desk) item(externalID, name string) delivery.Item {
	return delivery.Item{
		ID: delivery.ItemID(d.ids.Next()), Org: d.org.ID, Kind: delivery.AlertItem, ExternalID: externalID,
		Name: name, Enabled: true, Attributes: []byte("{}"), UpdatedAt: at,
	}
}

// webhook returns a new enabled webhook, which is not stored.
func (d *desk) webhook(name string) delivery.Webhook {
	w := delivery.Webhook{
		ID: delivery.WebhookID(d.ids.Next()), Org: d.org.ID, Name: name, Status: delivery.Enabled,
		Secrets:   []delivery.SealedSecret{{Sealed: []byte{1, 2, 3}, Hint: "abcd", CreatedAt: at}},
		CreatedAt: at, CreatedBy: "ada", UpdatedAt: at, UpdatedBy: "ada",
	}
	w.Version = delivery.WebhookVersion{
		ID: delivery.VersionID(d.ids.Next()), Org: w.Org, Webhook: w.ID, Number: 1, Name: name,
		Type: delivery.ActiveAlert, Target: "https://example.com/" + name,
		Selection: delivery.Selection{All: true}, Template: `{"a": #alert_name}`,
		Listening: true, Fingerprint: "fingerprint of " + name, CreatedAt: at, CreatedBy: "ada",
	}
	return w
}

// create stores a new webhook and returns it.
func (d *desk) create(name string) delivery.Webhook {
	d.Helper()
	w := d.webhook(name)
	d.ok(d.store.CreateWebhook(d.Context(), w, d.entry()))
	return w
}

// entry returns a new audit entry of the organization, which is not stored.
func (d *desk) entry() delivery.AuditEntry { return newEntry(d.ids, d.org.ID) }

func newEntry(ids *delivery.IDs, org delivery.OrgID) delivery.AuditEntry {
	return delivery.AuditEntry{
		ID: delivery.AuditID(ids.Next()), Org: org, At: at, Action: delivery.WebhookUpdated,
		Actor:  delivery.Actor{Kind: delivery.ByKey, Name: "ada", Key: 7},
		Object: delivery.AuditObject{Type: delivery.WebhookObject, ID: "wh_1", Name: "A webhook"},
		Changes: []delivery.Change{
			{Field: "name", Before: []byte(`"a"`), After: []byte(`"b"`)}, {Field: "hold", After: []byte(`true`)},
		},
		Request: "request-1", Address: "192.0.2.1",
	}
}

// next returns w with a new version, which begins at the given time.
func (d *desk) next(w delivery.Webhook, began time.Time) delivery.Webhook {
	w.Version.ID = delivery.VersionID(d.ids.Next())
	w.Version.Number++
	w.Version.CreatedAt, w.UpdatedAt = began, began
	return w
}

// stored reads a webhook from the store.
func (d *desk) stored(id delivery.WebhookID) delivery.Webhook {
	d.Helper()
	all := must(d.store.WebhooksByID(d.Context(), d.org.ID, []delivery.WebhookID{id}))(d)
	if len(all) != 1 {
		d.Fatalf("found %d webhooks by the id %s, want 1", len(all), id)
	}
	return all[0]
}

// configVersion reads the organization's ConfigVersion.
func (d *desk) configVersion() int64 {
	d.Helper()
	return must(d.store.OrganizationsByID(d.Context(), []delivery.OrgID{d.org.ID}))(d)[0].ConfigVersion
}
