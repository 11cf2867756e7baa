package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"portalhooks/auth"
	"portalhooks/delivery"
	"portalhooks/delivery/receiver"
	"portalhooks/delivery/seal"
	"portalhooks/delivery/service"
)

// The files of development mode, beside the SQLite database.
const (
	DataFolder     = "data"
	KeyFileName    = "encryption.key"
	CredentialFile = "local.json"
)

// loopbackNetworks are the networks that webhooks may call in development mode
// although they are not public.
var loopbackNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// A development is what lets a server on loopback run without any setup: demo data,
// simulated receivers, a sign-in URL, and credentials for the program's own
// commands.
type development struct {
	sessions *auth.Sessions // nil where people sign in with an identity provider
	token    string
	receiver http.Handler
}

// LocalCredentials are the credentials for commands on the same machine.
type LocalCredentials struct {
	URL      string `json:"url"`
	Portal   string `json:"portal"`   // an API key that may submit events
	Operator string `json:"operator"` // an API key that may watch everything
	Database string `json:"database"` // URL of the server's SQLite file; empty for another database
}

// newDevelopment creates the demo organization in an empty database, and the
// credentials. Addr is the address that the server listens on.
func newDevelopment(ctx context.Context, a *App, addr string) (*development, error) {
	base := "http://" + addr
	if err := a.Service.Seed(ctx, base+"/dev/receiver"); err != nil {
		return nil, fmt.Errorf("create the demo organization: %w", err)
	}
	if err := writeCredentials(ctx, a, base); err != nil {
		return nil, err
	}
	d := &development{receiver: receiver.New(receiver.Options{Verify: a.Service.VerifyCall})}
	if a.signIn != nil {
		return d, nil
	}
	var err error
	d.sessions, d.token, err = auth.NewSessions(
		func(ctx context.Context) (map[delivery.OrgID]delivery.Role, error) {
			return adminEverywhere(ctx, a.Store)
		})
	if err != nil {
		return nil, err
	}
	d.sessions.SignedIn = a.Service.SignedIn
	a.Auth.Sessions = d.sessions
	return d, nil
}

// adminEverywhere makes the person an admin of the first hundred organizations;
// development mode has a few.
func adminEverywhere(
	ctx context.Context, store delivery.OrganizationStore,
) (map[delivery.OrgID]delivery.Role, error) {
	orgs, err := store.Organizations(ctx, nil, "", delivery.Page{First: delivery.MaxPageSize})
	if err != nil {
		return nil, err
	}
	grants := make(map[delivery.OrgID]delivery.Role, len(orgs.Items))
	for _, o := range orgs.Items {
		grants[o.ID] = delivery.Admin
	}
	return grants, nil
}

// writeCredentials ensures that the file of local credentials has valid keys.
func writeCredentials(ctx context.Context, a *App, base string) error {
	path := filepath.Join(DataFolder, CredentialFile)
	had, _ := ReadCredentials(path)
	have := LocalCredentials{URL: base}
	if file := a.Store.File(); file != "" {
		absolute, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		have.Database = "sqlite:" + absolute
	}
	for _, want := range []struct {
		role delivery.KeyRole
		old  string
		text *string
	}{
		{delivery.PortalKey, had.Portal, &have.Portal},
		{delivery.OperatorKey, had.Operator, &have.Operator},
	} {
		if _, _, err := a.Auth.Keys.Authenticate(ctx, want.old, false); err == nil {
			*want.text = want.old
			continue
		}
		made, err := replaceKeys(ctx, a.Service.Keys, want.role)
		if err != nil {
			return err
		}
		*want.text = made
	}
	content, err := json.MarshalIndent(have, "", "  ")
	if err != nil {
		return err
	}
	return writePrivate(path, append(content, '\n'))
}

// replaceKeys creates a key for the commands on this machine. It revokes the earlier
// ones, whose text is lost, except for the newest: another server on this machine may
// use it.
func replaceKeys(ctx context.Context, keys *service.Keys, role delivery.KeyRole) (string, error) {
	by, name := delivery.AtTerminalOf("development mode"), "local "+string(role)
	old, err := keys.List(ctx, by, 0)
	if err != nil {
		return "", err
	}
	newest := true
	for _, k := range old {
		if !k.Local || k.Name != name || !k.Works(time.Now()) {
			continue
		}
		if !newest {
			if _, err := keys.Revoke(ctx, by, k.ID); err != nil {
				return "", err
			}
		}
		newest = false
	}
	made, err := keys.Create(ctx, by, service.KeyInput{Role: role, Name: name, Local: true})
	if err != nil {
		return "", err
	}
	return made.Text, nil
}

// ReadCredentials reads the credentials that a server in development mode wrote for
// commands on the same machine.
func ReadCredentials(path string) (LocalCredentials, error) {
	var c LocalCredentials
	content, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(content, &c)
}

// writePrivate writes a file that only its owner may read.
func writePrivate(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// Keyring reads the encryption keys. In development mode it creates a missing
// file.
func (c *Settings) Keyring() (*seal.Keyring, error) {
	path := c.EncryptionKeyFile
	if path == "" {
		path = filepath.Join(DataFolder, KeyFileName)
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && c.development() {
		content, err = makeKeyFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the encryption keys: %w", err)
	}
	return ParseKeyring(path, content)
}

// warnOfKeyFile says so when everyone on this machine can read the encryption keys.
func (c *Settings) warnOfKeyFile(ctx context.Context, log *slog.Logger) {
	const others = 0o007
	info, err := os.Stat(c.EncryptionKeyFile)
	if err == nil && info.Mode().Perm()&others != 0 && runtime.GOOS != "windows" {
		log.WarnContext(ctx, "every user of this machine can read the encryption keys: chmod 600 the file",
			"file", c.EncryptionKeyFile, "mode", info.Mode().Perm().String())
	}
}

func makeKeyFile(path string) ([]byte, error) {
	key, err := seal.GenerateKey()
	if err != nil {
		return nil, err
	}
	content := []byte("# This key opens the secrets in the database. Without it they are lost.\n" +
		seal.FormatKey(key) + "\n")
	return content, writePrivate(path, content)
}

// greet prints what to do next.
func (a *App) greet(out io.Writer, addr string) {
	if a.dev == nil {
		a.Log.Info("serving", "address", addr, "version", Version(), "slot", a.owner.Slot)
		return
	}
	program := programName()
	if a.signIn != nil {
		fmt.Fprintf(out, "Portalhooks is ready. Sign in:       %s\n", a.Settings.PublicURL)
	} else {
		fmt.Fprintf(out, "Portalhooks is ready. Sign in once:  http://%s/dev/sign-in?token=%s\n",
			addr, a.dev.token)
	}
	fmt.Fprintf(out, "Follow every delivery live:          %s tail\n", program)
	fmt.Fprintf(out, "Submit events in another terminal:   %s ingest examples/restart.jsonl\n", program)
}

// programName returns the command that started this program: "go run ." starts a
// binary in a build folder.
func programName() string {
	path, err := os.Executable()
	if err != nil || strings.Contains(path, string(filepath.Separator)+"go-build") {
		return "go run ."
	}
	return os.Args[0]
}
