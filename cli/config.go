package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"portalhooks/app"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// A command is one of the program's commands with its settings.
type command interface {
	Run(ctx context.Context, t terminal) error
}

// commands is the command line. Each flag is also an environment variable
// (PORTALHOOKS_ and its name in capitals) and a key of the YAML file.
type commands struct {
	Config kong.ConfigFlag `help:"YAML file with settings. Its keys are the names of the flags, without the dashes." placeholder:"FILE"`

	Serve       serveCmd       `cmd:"" default:"withargs" help:"Serve the API and deliver webhooks (the default command)."`
	Key         keyCmd         `cmd:"" help:"Create, list and revoke API keys."`
	Ingest      ingestCmd      `cmd:"" help:"Submit events to a running server."`
	Tail        tailCmd        `cmd:"" help:"Follow the delivery log live."`
	Receiver    receiverCmd    `cmd:"" help:"Run simulated receivers for trying out webhooks."`
	Rekey       rekeyCmd       `cmd:"" help:"Seal all secrets with the first encryption key, while servers run."`
	Migrate     migrateCmd     `cmd:"" help:"Apply or list the migrations of the database."`
	Healthcheck healthcheckCmd `cmd:"" help:"Exit with 0 if a running server is ready, otherwise with 1."`
	Bench       benchCmd       `cmd:"" help:"Measure the speed of this machine, as ratios within one run."`
	Generate    generateCmd    `cmd:"" help:"Fill an empty database with generated deliveries, for experiments."`
	BenchSink   benchSinkCmd   `cmd:"" hidden:"" help:"Run the receiver of a benchmark."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// serveCmd is the server with its settings.
type serveCmd struct{ app.Settings }

// Run serves until ctx ends, then finishes the attempts in flight.
func (c *serveCmd) Run(ctx context.Context, t terminal) error {
	return app.Run(ctx, &c.Settings, t.out, t.err)
}

var errHelpShown = errors.New("help was shown")

// parse reads the command line, the environment and the settings file.
func parse(args []string, stdout, stderr io.Writer) (command, error) {
	var all commands
	helped := false
	parser, err := kong.New(&all,
		kong.Name("portalhooks"),
		kong.Description("Webhooks for Portal: ingest events, send signed messages, and follow deliveries live."),
		kong.DefaultEnvars("PORTALHOOKS"),
		kong.Configuration(loadSettings),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return nil, fmt.Errorf("build the command line: %w", err)
	}
	selected, err := parser.Parse(args)
	if helped {
		return nil, errHelpShown
	}
	if err != nil {
		return nil, fmt.Errorf("%w (see portalhooks --help)", err)
	}
	cmd, ok := reflect.TypeAssert[command](selected.Selected().Target.Addr())
	if !ok {
		return nil, fmt.Errorf("name a command: see portalhooks %s --help", selected.Selected().Name)
	}
	return cmd, nil
}

// loadSettings reads the YAML file. An unknown key is an error, so that a misspelt
// setting is not ignored.
func loadSettings(r io.Reader) (kong.Resolver, error) {
	values := map[string]any{}
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the settings file: %w", err)
	}
	return settingsFile{values}, nil
}

type settingsFile struct{ values map[string]any }

// Validate implements [kong.Resolver].
func (f settingsFile) Validate(app *kong.Application) error {
	known := map[string]bool{}
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known[flag.Name] = true
		}
		return next(nil)
	})
	for key := range f.values {
		if !known[key] {
			return fmt.Errorf("the settings file has the key %q, which is not a setting", key)
		}
	}
	return nil
}

// Resolve implements [kong.Resolver].
func (f settingsFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	switch v := f.values[flag.Name].(type) {
	case []any:
		texts := make([]string, len(v))
		for i, one := range v {
			texts[i] = fmt.Sprint(one)
		}
		return kong.JoinEscaped(texts, ','), nil
	case map[string]any:
		pairs := make([]string, 0, len(v))
		for key, one := range v {
			pairs = append(pairs, fmt.Sprintf("%s=%v", key, one))
		}
		slices.Sort(pairs)
		return strings.Join(pairs, ";"), nil
	case nil:
		return nil, nil
	default:
		return fmt.Sprint(v), nil
	}
}
