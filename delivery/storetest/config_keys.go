package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"portalhooks/delivery"
)

func testKeys(d *desk) {
	add := func(org delivery.OrgID, prefix string) delivery.APIKey {
		k := delivery.APIKey{
			ID: delivery.KeyID(d.ids.Next()), Prefix: d.org.ExternalID + prefix, Hash: []byte{0, 1, 255},
			Name: "Key of " + d.org.ExternalID,
			Role: delivery.PortalKey, Org: org, CreatedAt: at, CreatedBy: "ada", ExpiresAt: at.AddDate(1, 0, 0),
		}
		d.ok(d.store.CreateKey(d.Context(), k, d.entry()))
		return k
	}
	a, b, anywhere := add(d.org.ID, "a"), add(d.org.ID, "b"), add(0, "c")
	same(d, "a key", must(d.store.KeyByPrefix(d.Context(), a.Prefix))(d), a)
	_, err := d.store.KeyByPrefix(d.Context(), "none")
	d.refused(err, delivery.NotFound)
	same(d, "a key by its id", must(d.store.KeyByID(d.Context(), b.ID))(d), b)
	_, err = d.store.KeyByID(d.Context(), 1)
	d.refused(err, delivery.NotFound)
	clash := a
	clash.Name = "Another client"
	clash.ID = delivery.KeyID(d.ids.Next())
	d.refused(d.store.CreateKey(d.Context(), clash, d.entry()), delivery.Conflict)

	same(d, "keys, newest first", must(d.store.Keys(d.Context(), d.org.ID, at))(d), []delivery.APIKey{b, a})
	all := must(d.store.Keys(d.Context(), 0, at))(d)
	if !slices.ContainsFunc(all, func(k delivery.APIKey) bool { return k.ID == anywhere.ID }) || len(all) < 3 {
		d.Errorf("all keys are %v, want also the one for every organization", all)
	}
	if !slices.IsSortedFunc(all, func(x, y delivery.APIKey) int { return cmp.Compare(y.ID, x.ID) }) {
		d.Errorf("all keys are %v, want the newest first", all)
	}

	revoked := at.Add(time.Hour)
	d.ok(d.store.RevokeKey(d.Context(), a.ID, revoked, d.entry()))
	d.ok(d.store.RevokeKey(d.Context(), a.ID, revoked.Add(time.Hour), d.entry()))
	d.refused(d.store.RevokeKey(d.Context(), 1, revoked, d.entry()), delivery.NotFound)
	d.ok(d.store.TouchKey(d.Context(), a.ID, revoked))
	d.ok(d.store.TouchKey(d.Context(), a.ID, revoked.Add(-time.Hour)))
	d.ok(d.store.TouchKey(d.Context(), 1, revoked))
	a.RevokedAt, a.LastUsedAt = revoked, revoked.Truncate(time.Minute)
	same(d, "a used and revoked key", must(d.store.KeyByPrefix(d.Context(), a.Prefix))(d), a)
}

func testKeysOfAMaker(d *desk) {
	mine, token, others, revoked := d.key("desk"), d.key("token"), d.key("others"), d.key("revoked")
	ada := d.org.ExternalID + " ada"
	mine.Maker, token.Maker, others.Maker, revoked.Maker = ada, delivery.TokenPerson(ada), ada+"m", ada
	expired, local := d.key("expired"), d.key("local")
	expired.Maker, expired.ExpiresAt = ada, at
	local.Local = true
	for _, k := range []delivery.APIKey{mine, token, others, revoked, expired, local} {
		d.ok(d.store.CreateKey(d.Context(), k, d.entry()))
	}
	d.ok(d.store.RevokeKey(d.Context(), revoked.ID, at, d.entry()))
	made := func(makers ...string) []delivery.APIKey {
		return must(d.store.KeysMadeBy(d.Context(), makers, at))(d)
	}
	same(d, "the keys of a person", made(ada, delivery.TokenPerson(ada)), []delivery.APIKey{token, mine})
	same(d, "the keys of another", made(ada+"m"), []delivery.APIKey{others})
	if keys := made("unknown"); len(keys) != 0 {
		d.Errorf("the keys of a person who made none are %v", keys)
	}
	same(d, "a local key", must(d.store.KeyByPrefix(d.Context(), local.Prefix))(d), local)
}

// key returns a new API key of a client, which is not stored.
func (d *desk) key(client string) delivery.APIKey {
	id := delivery.KeyID(d.ids.Next())
	return delivery.APIKey{
		ID: id, Prefix: id.String(), Hash: []byte{1}, Name: client, Role: delivery.ViewerKey, Org: d.org.ID,
		CreatedAt: at, CreatedBy: "ada",
	}
}

func testKeysOfAClient(d *desk) {
	first, second, third := d.key("desk"), d.key("desk"), d.key("desk")
	first.ExpiresAt = at.Add(time.Hour)
	d.ok(d.store.CreateKey(d.Context(), first, d.entry()))
	d.ok(d.store.CreateKey(d.Context(), second, d.entry()))
	err := d.store.CreateKey(d.Context(), third, d.entry())
	d.refusal(err, &delivery.Error{Code: delivery.Conflict, Field: "name"})
	if !strings.Contains(err.Error(), first.ID.String()) {
		d.Errorf("the refusal %q does not name the oldest key, %s", err, first.ID)
	}
	d.ok(d.store.CreateKey(d.Context(), d.key("another client"), d.entry()))

	third.CreatedAt = first.ExpiresAt // when the first no longer works
	d.ok(d.store.CreateKey(d.Context(), third, d.entry()))
	d.ok(d.store.RevokeKey(d.Context(), second.ID, third.CreatedAt, d.entry()))
	fourth := d.key("desk")
	fourth.CreatedAt = third.CreatedAt
	d.ok(d.store.CreateKey(d.Context(), fourth, d.entry()))

	for i := range delivery.MaxKeys - 3 {
		k := d.key(fmt.Sprint("client ", i))
		k.CreatedAt = third.CreatedAt
		d.ok(d.store.CreateKey(d.Context(), k, d.entry()))
	}
	last := d.key("one too many")
	last.CreatedAt = third.CreatedAt
	d.refused(d.store.CreateKey(d.Context(), last, d.entry()), delivery.LimitExceeded)
	listed := must(d.store.Keys(d.Context(), d.org.ID, third.CreatedAt))(d)
	if len(listed) != delivery.MaxKeys+2 || listed[len(listed)-1].ID != first.ID {
		d.Errorf("%d keys are listed, the last one is %s, want %d with the two that have ended, %s last",
			len(listed), listed[len(listed)-1].ID, delivery.MaxKeys+2, first.ID)
	}
}

func testKeysTogether(d *desk) {
	const n = 6
	errs := make([]error, n)
	var together sync.WaitGroup
	for i := range errs {
		together.Go(func() { errs[i] = d.store.CreateKey(d.Context(), d.key("desk"), d.entry()) })
	}
	together.Wait()
	made := 0
	for _, err := range errs {
		switch delivery.CodeOf(err) {
		case "":
			d.ok(err)
			made++
		case delivery.Conflict:
		default:
			d.Errorf("got %v, want a conflict", err)
		}
	}
	if made != delivery.KeysPerName {
		d.Errorf("%d keys were made at once, want %d", made, delivery.KeysPerName)
	}
}

func testKeyRecords(d *desk) {
	k, made, revoked := d.key("desk"), d.entry(), d.entry()
	d.ok(d.store.CreateKey(d.Context(), k, made))
	clash := d.key("clash")
	clash.Prefix = k.Prefix
	d.refused(d.store.CreateKey(d.Context(), clash, d.entry()), delivery.Conflict)
	d.ok(d.store.RevokeKey(d.Context(), k.ID, at, revoked))
	d.ok(d.store.RevokeKey(d.Context(), k.ID, at, d.entry()))
	d.refused(d.store.RevokeKey(d.Context(), 1, at, d.entry()), delivery.NotFound)
	d.recorded(revoked, made)
}
