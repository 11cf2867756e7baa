package cli

import (
	"context"
	"fmt"
	"os"

	"portalhooks/app"
	"portalhooks/delivery"
	"portalhooks/delivery/seal"
	"portalhooks/delivery/service"
	"portalhooks/ent"
)

// rekeyCmd seals all secrets in the database with the first encryption key, while
// servers run.
type rekeyCmd struct {
	databaseFlag
	EncryptionKeyFile string `help:"File with the encryption keys, one ID:BASE64 per line. The first key seals, and every key opens." default:"data/encryption.key" placeholder:"FILE"`
}

// Run seals the secrets that another key has sealed.
func (c *rekeyCmd) Run(ctx context.Context, t terminal) error {
	keys, err := readKeyring(c.EncryptionKeyFile)
	if err != nil {
		return err
	}
	return c.withTables(ctx, func(store *ent.Store) error {
		var done service.Resealed
		err := withIDs(ctx, store, "rekey", func(ids *delivery.IDs) (err error) {
			done, err = service.Rekey(ctx, atTerminal(), store, keys, ids)
			return err
		})
		if err != nil {
			return fmt.Errorf("after %d secrets: %w", done.Secrets, err)
		}
		_, err = fmt.Fprintf(t.out, "Sealed %d secrets with the first key; %d were already sealed with it. "+
			"The other keys in the file are no longer needed.\n", done.Secrets, done.Current)
		return err
	})
}

// readKeyring reads the encryption keys from a file.
func readKeyring(path string) (*seal.Keyring, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the encryption keys: %w", err)
	}
	return app.ParseKeyring(path, content)
}
