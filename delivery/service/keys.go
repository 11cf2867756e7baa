package service

import (
	"cmp"
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"portalhooks/delivery"
	"portalhooks/delivery/credential"
)

// Keys makes, lists and revokes API keys. The API and the command line share
// it, so that both keep the same rules and leave the same records.
type Keys struct {
	store delivery.KeyStore
	ids   *delivery.IDs

	// MaxLife is how long a key lives at most that a person makes through the API;
	// DefaultKeyLife if zero.
	MaxLife time.Duration
}

// DefaultKeyLife is how long a key lives at most that a person makes through the
// API, unless the server says otherwise.
const DefaultKeyLife = 90 * 24 * time.Hour

// NewKeys returns Keys over store. New keys and records take their ids from
// ids.
func NewKeys(store delivery.KeyStore, ids *delivery.IDs) *Keys { return &Keys{store: store, ids: ids} }

// A KeyInput describes an API key to be made.
type KeyInput struct {
	Org       delivery.OrgID // 0 for all, which portal and operator keys may have
	Name      string
	Role      delivery.KeyRole
	ExpiresAt time.Time // zero for never or, for a person, as late as may be
	Local     bool      // works in development mode only
}

// A CreatedKey is an API key with its text, which is told this once.
type CreatedKey struct {
	Key  delivery.APIKey
	Text string
}

// Create makes an API key. Admins may make keys of their own organization; keys
// that reach further are made at the terminal only, so that stolen credentials
// of a person or a program can't make permanent ones for everything. A key that
// expires makes none that outlives it. A key that a person makes ends within
// MaxLife, and with the person's role: see EndWithRole. It returns Conflict when KeysPerName of
// the client's keys work already, and LimitExceeded when MaxKeys of the
// organization do.
func (k *Keys) Create(ctx context.Context, c delivery.Caller, in KeyInput) (*CreatedKey, error) {
	if err := checkKeys(c, in.Org); err != nil {
		return nil, err
	}
	at := delivery.Now()
	in.Name, in.ExpiresAt = strings.TrimSpace(in.Name), in.ExpiresAt.UTC().Truncate(time.Millisecond)
	latest := k.latest(c, at)
	if in.ExpiresAt.IsZero() && c.Key == 0 {
		in.ExpiresAt = latest
	}
	if err := in.check(c, at, latest); err != nil {
		return nil, err
	}
	text, prefix, hash, err := credential.New()
	if err != nil {
		return nil, err
	}
	key := delivery.APIKey{
		ID: delivery.KeyID(k.ids.Next()), Prefix: prefix, Hash: hash, Name: in.Name, Role: in.Role, Org: in.Org,
		CreatedAt: at, CreatedBy: c.Name, Maker: c.Person, Local: in.Local, ExpiresAt: in.ExpiresAt,
	}
	record := entry(
		k.ids, c, key.Org, delivery.APIKeyCreated, keyObject(&key), differences(nil, keyTraits(&key)),
	)
	if err := k.store.CreateKey(ctx, key, record); err != nil {
		return nil, err
	}
	return &CreatedKey{Key: key, Text: text}, nil
}

// checkKeys refuses a caller who may not make keys of org.
func checkKeys(c delivery.Caller, org delivery.OrgID) error {
	switch {
	case c.Terminal():
		return nil
	case org == 0 && c.Known():
		return delivery.Errorf(
			delivery.Forbidden, "", "A key for every organization is made with \"portalhooks key create\" only.",
		)
	}
	return c.CheckConfigure(org)
}

// latest returns when a key must have expired that c makes at the given time,
// zero for never.
func (k *Keys) latest(c delivery.Caller, at time.Time) time.Time {
	if c.Terminal() || c.Key != 0 {
		return c.Until
	}
	return at.Add(cmp.Or(k.MaxLife, DefaultKeyLife)).Truncate(time.Millisecond)
}

// check returns everything that is wrong with the input. Latest is when the key
// must have expired, zero for never.
func (in *KeyInput) check(c delivery.Caller, at, latest time.Time) error {
	var all checker
	in.checkRole(&all)
	switch n := utf8.RuneCountInString(in.Name); {
	case n == 0:
		all.Fail(delivery.Required, "name", "Name the client that will use the key.")
	case n > delivery.MaxKeyName:
		all.Fail(delivery.Invalid, "name", "The client's name has at most %d characters.", delivery.MaxKeyName)
	case !delivery.Storable(in.Name) || strings.ContainsFunc(in.Name, unprintable):
		all.Fail(delivery.Invalid, "name",
			"The client's name must not contain line breaks or other characters that can't be seen.")
	}
	switch end := in.ExpiresAt; {
	case latest.IsZero() && end.IsZero():
	case !latest.IsZero() && (end.IsZero() || end.After(latest)) && c.Key != 0:
		all.Fail(delivery.Invalid, "expiresAt", "The key that asks for this one expires at %s: so must this one.",
			delivery.FormatTime(latest))
	case !latest.IsZero() && end.After(latest):
		all.Fail(delivery.Invalid, "expiresAt",
			"A key that a person makes expires by %s at the latest. One that lasts longer is made with "+
				"\"portalhooks key create\".", delivery.FormatTime(latest))
	case !end.After(at):
		all.Fail(delivery.Invalid, "expiresAt", "The key would be expired already. Name a time to come.")
	case end.After(at.Add(delivery.MaxKeyLife)):
		all.Fail(delivery.Invalid, "expiresAt", "A key that expires does so within 5 years.")
	}
	if len(all.Errors) > 0 {
		return all.Errors
	}
	return nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

func (in *KeyInput) checkRole(all *checker) {
	switch in.Role {
	case delivery.AdminKey, delivery.ViewerKey:
		if in.Org == 0 {
			all.Fail(delivery.Required, "organization",
				"A key with the role %s belongs to one organization: say which.", in.Role)
		}
	case delivery.OperatorKey:
		if in.Org != 0 {
			all.Fail(delivery.Invalid, "role",
				"A key with the role operator is for every organization: it can't belong to one.")
		}
	case delivery.PortalKey:
	default:
		all.Fail(delivery.Invalid, "role", "The role is portal, admin, viewer or operator.")
	}
}

// Revoke makes an API key stop working, on every server within seconds, and
// returns it. Admins may revoke keys of their own organization, operators and
// callers at the terminal any. Revoking one that is revoked changes nothing.
// No key revokes itself, with Conflict: that its successor can is what shows
// that the successor works.
func (k *Keys) Revoke(ctx context.Context, c delivery.Caller, id delivery.KeyID) (*delivery.APIKey, error) {
	if !c.Known() {
		return nil, delivery.ErrUnauthenticated
	}
	key, err := k.store.KeyByID(ctx, id)
	if delivery.CodeOf(err) == delivery.NotFound {
		return nil, delivery.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if !c.Operator && !c.Terminal() {
		if err := c.CheckConfigure(key.Org); err != nil {
			return nil, err
		}
	}
	if c.Key == id {
		return nil, delivery.Errorf(delivery.Conflict, "id",
			"A key can't revoke itself. Make its successor, and revoke it with that: so you know that it works.")
	}
	return k.revoke(ctx, c, key, delivery.Now())
}

// revoke makes the key stop working and records that c did it.
func (k *Keys) revoke(
	ctx context.Context, c delivery.Caller, key delivery.APIKey, at time.Time,
) (*delivery.APIKey, error) {
	was := key
	key.RevokedAt = at
	changes := differences(keyTraits(&was), keyTraits(&key))
	record := entry(k.ids, c, key.Org, delivery.APIKeyRevoked, keyObject(&key), changes)
	if err := k.store.RevokeKey(ctx, key.ID, at, record); err != nil {
		return nil, err
	}
	if !was.RevokedAt.IsZero() {
		return &was, nil
	}
	return &key, nil
}

// EndWithRole revokes the keys that c, who has just signed in at the identity
// provider, created in organizations where c is no longer an admin.
func (k *Keys) EndWithRole(ctx context.Context, c delivery.Caller) error {
	makers := c.Makers()
	if len(makers) == 0 {
		return nil
	}
	at := delivery.Now()
	keys, err := k.store.KeysMadeBy(ctx, makers, at)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if c.Grants[key.Org] == delivery.Admin {
			continue
		}
		if _, err := k.revoke(ctx, delivery.System, key, at); err != nil {
			return err
		}
	}
	return nil
}

// List returns the keys of an organization, or with org 0 all keys, newest first: the
// valid ones, and the latest of the others.
func (k *Keys) List(ctx context.Context, c delivery.Caller, org delivery.OrgID) ([]delivery.APIKey, error) {
	if !c.Terminal() {
		if err := c.CheckAudit(org); err != nil {
			return nil, err
		}
	}
	return k.store.Keys(ctx, org, delivery.Now())
}

// CreateAPIKey makes an API key of the organization that ref names: our org_…
// id or Portal's own. See [Keys.Create].
func (s *Service) CreateAPIKey(
	ctx context.Context, c delivery.Caller, ref string, in KeyInput,
) (*CreatedKey, error) {
	org, err := s.Organization(ctx, c, ref)
	if err != nil {
		return nil, err
	}
	in.Org = org.ID
	return s.Keys.Create(ctx, c, in)
}

func keyObject(k *delivery.APIKey) delivery.AuditObject {
	return delivery.AuditObject{Type: delivery.APIKeyObject, ID: k.ID.String(), Name: k.Name}
}

// keyTraits are a key's fields as its list shows them.
func keyTraits(k *delivery.APIKey) traits {
	all := traits{
		{field: "name", value: k.Name},
		{field: "prefix", value: k.Prefix},
		{field: "role", value: k.Role},
		{field: "expiresAt"},
		{field: "revokedAt"},
	}
	if !k.ExpiresAt.IsZero() {
		all[3].value = delivery.FormatTime(k.ExpiresAt)
	}
	if !k.RevokedAt.IsZero() {
		all[4].value = delivery.FormatTime(k.RevokedAt)
	}
	return all
}
