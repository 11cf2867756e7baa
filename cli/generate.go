package cli

import (
	"context"
	"errors"

	"portalhooks/bench"
)

// generateCmd fills databases for experiments.
type generateCmd struct {
	// Without a default, a database in use is not filled by accident.
	Database          string `help:"Empty database to fill: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME." placeholder:"URL" required:""`
	Deliveries        int    `help:"Finished deliveries." default:"1000000"`
	Due               int    `help:"Due deliveries." default:"0"`
	Days              int    `help:"Days over which the finished deliveries are spread, up to today." default:"30"`
	Organizations     int    `help:"Organizations." default:"100"`
	Webhooks          int    `help:"Webhooks per organization." default:"10"`
	EncryptionKeyFile string `help:"File with the encryption keys of the server that will send the due deliveries. Default: a random key, which is discarded." placeholder:"FILE"`
}

// Run fills the database and prints its progress to the error stream.
func (c *generateCmd) Run(ctx context.Context, t terminal) error {
	if c.Deliveries < 1 || c.Days < 1 || c.Organizations < 1 || c.Webhooks < 1 {
		return errors.New("--deliveries, --days, --organizations and --webhooks must be at least 1")
	}
	h := bench.History{
		Database: c.Database, Deliveries: c.Deliveries, Due: c.Due, Days: c.Days,
		Organizations: c.Organizations, Webhooks: c.Webhooks, Progress: t.err,
	}
	if c.EncryptionKeyFile != "" {
		var err error
		if h.Keyring, err = readKeyring(c.EncryptionKeyFile); err != nil {
			return err
		}
	}
	return bench.Generate(ctx, h)
}
