package api

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"portalhooks/graph"
	"portalhooks/test/harness"
)

// The text of the schema is all that the developer of a client has: the
// generators of typed clients must take it as it is.
func TestGeneratorsOfTypedClientsTakeTheSchema(t *testing.T) {
	t.Parallel()
	sdl := filepath.Join(t.TempDir(), "schema.graphql")
	if err := os.WriteFile(sdl, []byte(graph.SDL()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, generator := range []string{"graphql-js", "graphql-codegen", "relay-compiler"} {
		t.Run(generator, func(t *testing.T) {
			t.Parallel()
			if output, ok := runClient(t, "generators.mjs", generator, sdl, "operations.graphql"); !ok {
				t.Errorf("%s refuses the schema: %s", generator, output)
			}
		})
	}
	t.Run("genqlient", func(t *testing.T) {
		t.Parallel()
		if output, err := genqlient(t, sdl); err != nil {
			t.Errorf("genqlient refuses the schema: %v: %s", err, output)
		}
	})
}

// genqlient generates Go code for test/clients/operations.graphql.
func genqlient(t *testing.T, sdl string) (output []byte, err error) {
	t.Helper()
	clients, err := filepath.Abs(filepath.Join(harness.Root, "test", "clients"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	settings := filepath.Join(folder, "genqlient.yaml")
	text := fmt.Sprintf(`schema: %s
operations: [%s]
generated: %s
package: app
bindings:
  Time: {type: time.Time}
  Cursor: {type: string}
  JSON: {type: encoding/json.RawMessage}
`, sdl, filepath.Join(clients, "operations.graphql"), filepath.Join(folder, "generated.go"))
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "tool", "genqlient", settings)
	command.Dir = filepath.Join(clients, "genqlient")
	return command.CombinedOutput()
}
