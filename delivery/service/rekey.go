package service

import (
	"context"
	"fmt"
	"slices"

	"portalhooks/delivery"
	"portalhooks/delivery/seal"
)

// rekeyPortion is how many rows Rekey reads at once.
const rekeyPortion = 100

// Resealed says what Rekey has done.
type Resealed struct {
	Secrets int // that were resealed
	Current int // that had the right seal already
}

// Rekey seals everything with the first key of keys that was sealed with another
// one, and what was not sealed at all. Servers may keep running, if they have
// the same keys. An envelope that none of the keys opens ends it with an error
// that names its place; what was done until then stays done. That it began is
// recorded for c before anything is changed.
func Rekey(
	ctx context.Context, c delivery.Caller, store delivery.Vault, keys *seal.Keyring, ids *delivery.IDs,
) (Resealed, error) {
	r := rekeying{store: store, keys: keys}
	if err := store.Record(ctx, entry(ids, c, 0, delivery.EncryptionKeyChanged, delivery.AuditObject{},
		nil)); err != nil {
		return r.done, err
	}
	if err := r.webhooks(ctx); err != nil {
		return r.done, err
	}
	return r.done, r.versions(ctx)
}

type rekeying struct {
	store delivery.Vault
	keys  *seal.Keyring
	done  Resealed
}

func (r *rekeying) webhooks(ctx context.Context) error {
	for after := delivery.WebhookID(0); ; {
		webhooks, err := r.store.SealedWebhooks(ctx, after, rekeyPortion)
		if err != nil || len(webhooks) == 0 {
			return err
		}
		for i := range webhooks {
			if err := r.secrets(ctx, &webhooks[i]); err != nil {
				return err
			}
		}
		after = webhooks[len(webhooks)-1].ID
	}
}

// secrets seals a webhook's signing secrets. A person who rotates them at the same
// time seals them with the first key too.
func (r *rekeying) secrets(ctx context.Context, w *delivery.Webhook) error {
	fresh := slices.Clone(w.Secrets)
	changed := 0
	for i, one := range fresh {
		sealed, again, err := r.reseal(one.Sealed, delivery.FieldAAD(w.Org, w.ID, delivery.SecretField))
		if err != nil {
			return fmt.Errorf("a signing secret of %s: %w", w.ID, err)
		}
		if again {
			fresh[i].Sealed = sealed
			changed++
		}
	}
	if changed == 0 {
		return nil
	}
	same, err := r.store.ReplaceSecrets(ctx, w.ID, w.Secrets, fresh)
	if same {
		r.done.Secrets += changed
	}
	return err
}

func (r *rekeying) versions(ctx context.Context) error {
	for after := delivery.VersionID(0); ; {
		versions, err := r.store.SealedVersions(ctx, after, rekeyPortion)
		if err != nil || len(versions) == 0 {
			return err
		}
		for i := range versions {
			if err := r.version(ctx, versions[i]); err != nil {
				return err
			}
		}
		after = versions[len(versions)-1].ID
	}
}

// version seals the headers and the target of a version.
func (r *rekeying) version(ctx context.Context, v delivery.WebhookVersion) error {
	v.Headers = slices.Clone(v.Headers)
	changed := 0
	for i, h := range v.Headers {
		if len(h.Sealed) == 0 {
			continue
		}
		sealed, again, err := r.reseal(h.Sealed, delivery.FieldAAD(v.Org, v.Webhook, delivery.HeaderField(h.Name)))
		if err != nil {
			return fmt.Errorf("the header %s of %s: %w", h.Name, v.ID, err)
		}
		if again {
			v.Headers[i].Sealed = sealed
			changed++
		}
	}
	place := delivery.FieldAAD(v.Org, v.Webhook, delivery.TargetField)
	if len(v.Sealed) == 0 {
		v.Sealed, v.Target = r.keys.Seal([]byte(v.Target), place), delivery.MaskURL(v.Target)
		changed++
	} else {
		sealed, again, err := r.reseal(v.Sealed, place)
		if err != nil {
			return fmt.Errorf("the target of %s: %w", v.ID, err)
		}
		if again {
			v.Sealed = sealed
			changed++
		}
	}
	if changed == 0 {
		return nil
	}
	r.done.Secrets += changed
	return r.store.ReplaceSealed(ctx, v)
}

// reseal returns the envelope sealed with the first key, and whether it was not.
func (r *rekeying) reseal(envelope, place []byte) (fresh []byte, again bool, err error) {
	if r.keys.Current(envelope) {
		r.done.Current++
		return nil, false, nil
	}
	plain, err := r.keys.Open(envelope, place)
	if err != nil {
		return nil, false, err
	}
	return r.keys.Seal(plain, place), true, nil
}
