package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"portalhooks/bench"
	"portalhooks/delivery/seal"
)

// generateCmd makes databases to try things on.
type generateCmd struct {
	// There is no default: a database in use must not be filled by accident.
	Database          string `help:"The database to fill: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME. It must be empty." placeholder:"URL" required:""`
	Deliveries        int    `help:"Deliveries that are over." default:"1000000"`
	Due               int    `help:"Deliveries that wait." default:"0"`
	Days              int    `help:"Days that the former are spread over, the last of them today." default:"30"`
	Organizations     int    `help:"Organizations." default:"100"`
	Webhooks          int    `help:"Webhooks of each organization." default:"10"`
	EncryptionKeyFile string `help:"File with the keys that seal secrets, for a server that is to send what is due; without it, a random key that is not kept." placeholder:"FILE"`
}

// Run fills the database and prints its progress to the error stream.
func (c *generateCmd) Run(ctx context.Context, t terminal) error {
	if c.Deliveries < 1 || c.Days < 1 || c.Organizations < 1 || c.Webhooks < 1 {
		return errors.New("give at least one delivery, day, organization and webhook")
	}
	h := bench.History{
		Database: c.Database, Deliveries: c.Deliveries, Due: c.Due, Days: c.Days,
		Organizations: c.Organizations, Webhooks: c.Webhooks, Progress: t.err,
	}
	if c.EncryptionKeyFile != "" {
		content, err := os.ReadFile(c.EncryptionKeyFile)
		if err != nil {
			return fmt.Errorf("read the encryption keys: %w", err)
		}
		keys, err := seal.ParseKeyFile(content)
		if err != nil {
			return fmt.Errorf("read the encryption keys in %s: %w", c.EncryptionKeyFile, err)
		}
		if h.Keyring, err = seal.NewKeyring(keys...); err != nil {
			return err
		}
	}
	return bench.Generate(ctx, h)
}
