package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"text/tabwriter"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/ent"
)

// keyCmd creates, lists and revokes API keys directly in the database, whether or
// not a server is running.
type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Create a key and print it to standard output. It is shown only once."`
	List   keyListCmd   `cmd:"" help:"List the keys, without their secrets."`
	Revoke keyRevokeCmd `cmd:"" help:"Revoke a key. It stops working within seconds on every server."`
}

type keyCreateCmd struct {
	databaseFlag
	Role             string        `help:"Role of the key: portal, admin, viewer or operator." enum:"portal,admin,viewer,operator" required:""`
	Organization     string        `help:"Organization of the key, by its id or by its id in Portal; required for admin and viewer. An unknown organization is registered." placeholder:"ID"`
	OrganizationName string        `help:"Name of the organization, if this command registers it." placeholder:"NAME"`
	Name             string        `help:"Name of the client that will use the key. Default: the role. A client can have two valid keys at a time." placeholder:"NAME"`
	ExpiresIn        time.Duration `help:"Lifetime of the key, at most 5 years. Default: the key never expires." placeholder:"DURATION"`
}

// Run creates the key and prints it.
func (c *keyCreateCmd) Run(ctx context.Context, t terminal) error {
	if c.ExpiresIn < 0 {
		return errors.New("--expires-in must be a positive duration, such as 720h")
	}
	return c.withTables(ctx, func(store *ent.Store) error {
		text, err := c.create(ctx, store)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.err, "The key works on the servers of the database %s.\n", nameOf(c.at()))
		_, err = fmt.Fprintln(t.out, text)
		return err
	})
}

func (c *keyCreateCmd) create(ctx context.Context, store *ent.Store) (text string, err error) {
	in := service.KeyInput{Role: delivery.KeyRole(c.Role), Name: cmp.Or(c.Name, c.Role)}
	if c.ExpiresIn > 0 {
		in.ExpiresAt = time.Now().Add(c.ExpiresIn)
	}
	err = withIDs(ctx, store, "key create", func(ids *delivery.IDs) error {
		if c.Organization != "" {
			if in.Org, err = c.organization(ctx, store, ids); err != nil {
				return err
			}
		}
		made, err := service.NewKeys(store, ids).Create(ctx, atTerminal(), in)
		if err == nil {
			text = made.Text
		}
		return err
	})
	return text, err
}

// withIDs leases a slot for as long as do runs, so that do can generate ids.
func withIDs(
	ctx context.Context, store *ent.Store, command string, do func(ids *delivery.IDs) error,
) (err error) {
	owner, err := store.Join(ctx, "portalhooks "+command, delivery.SlotTTL)
	if err != nil {
		return fmt.Errorf("lease a slot: %w", err)
	}
	defer func() { err = errors.Join(err, store.Leave(ctx, owner)) }()
	return do(delivery.NewIDs(owner.Slot))
}

// organization finds the organization, or registers it.
func (c *keyCreateCmd) organization(
	ctx context.Context, store *ent.Store, ids *delivery.IDs,
) (delivery.OrgID, error) {
	if id, ok := delivery.ParseOrgID(c.Organization); ok {
		found, err := store.OrganizationsByID(ctx, []delivery.OrgID{id})
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("there is no organization %s", id)
		}
		return id, err
	}
	registered, err := store.RegisterOrganizations(ctx, []delivery.Organization{{
		ID: delivery.OrgID(ids.Next()), ExternalID: c.Organization,
		Name: c.OrganizationName, CreatedAt: time.Now(),
	}})
	if err != nil {
		return 0, err
	}
	return registered[0].ID, nil
}

// atTerminal is the person at the terminal.
func atTerminal() delivery.Caller {
	if u, err := user.Current(); err == nil {
		return delivery.AtTerminalOf(u.Username)
	}
	return delivery.AtTerminalOf(fmt.Sprintf("uid %d", os.Getuid()))
}

type keyListCmd struct{ databaseFlag }

// Run lists the keys.
func (c *keyListCmd) Run(ctx context.Context, t terminal) error {
	return c.withTables(ctx, func(store *ent.Store) error {
		keys, err := service.NewKeys(store, nil).List(ctx, atTerminal(), 0)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tKEY\tROLE\tORGANIZATION\tNAME\tSTATE\tLAST USED")
		for _, k := range keys {
			org := "all"
			if k.Org != 0 {
				org = k.Org.String()
			}
			fmt.Fprintf(table, "%s\t%s…\t%s\t%s\t%s\t%s\t%s\n",
				k.ID, k.Prefix, k.Role, org, printable(k.Name), keyState(k), orNever(k.LastUsedAt))
		}
		return table.Flush()
	})
}

func keyState(k delivery.APIKey) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked"
	case k.Local && k.ExpiresAt.IsZero():
		return "works in development mode"
	case k.ExpiresAt.IsZero():
		return "works"
	case time.Now().Before(k.ExpiresAt):
		return "works until " + k.ExpiresAt.UTC().Format(time.RFC3339)
	default:
		return "expired"
	}
}

func orNever(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

type keyRevokeCmd struct {
	databaseFlag
	ID string `arg:"" help:"Id of the key (key_…), as \"portalhooks key list\" shows it."`
}

// Run revokes the key.
func (c *keyRevokeCmd) Run(ctx context.Context, t terminal) error {
	id, ok := delivery.ParseKeyID(c.ID)
	if !ok {
		// It may be the key itself: don't print it.
		return errors.New("this is not the id of a key (key_…): \"portalhooks key list\" shows them")
	}
	return c.withTables(ctx, func(store *ent.Store) error {
		err := withIDs(ctx, store, "key revoke", func(ids *delivery.IDs) error {
			_, err := service.NewKeys(store, ids).Revoke(ctx, atTerminal(), id)
			return err
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.out, "%s no longer works.\n", id)
		return err
	})
}
