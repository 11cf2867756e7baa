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

// rekeyCmd seals all secrets in the database with the first of the encryption
// keys. It works beside running servers.
type rekeyCmd struct {
	app.DatabaseFlag
	EncryptionKeyFile string `help:"File with the keys, one ID:BASE64 a line: the first one seals, all of them open." default:"data/encryption.key" placeholder:"FILE"`
}

// Run seals what the first key has not sealed.
func (c *rekeyCmd) Run(ctx context.Context, t terminal) error {
	keys, err := readKeyring(c.EncryptionKeyFile)
	if err != nil {
		return err
	}
	return withStore(ctx, c.Database, func(store *ent.Store) error {
		var done service.Resealed
		err := withIDs(ctx, store, "rekey", func(ids *delivery.IDs) (err error) {
			done, err = service.Rekey(ctx, atTerminal(), store, keys, ids)
			return err
		})
		if err != nil {
			return fmt.Errorf("after %d secrets: %w", done.Secrets, err)
		}
		_, err = fmt.Fprintf(t.out, "%d secrets were sealed with the first key, %d were already. "+
			"The file's other keys are not needed any more.\n", done.Secrets, done.Current)
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
