package story

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portalhooks/test/harness"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { harness.Main(m) }

// TestStories runs each script of testdata/script against the real program, on
// every kind of database.
func TestStories(t *testing.T) {
	for name, database := range harness.Databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Dir:                filepath.Join("testdata", "script"),
				Setup:              func(e *testscript.Env) error { return setUp(e, database) },
				Cmds:               storyCommands,
				RequireUniqueNames: true,
			})
		})
	}
}

// A story is what one run of a script has besides its variables.
type story struct {
	ctx       context.Context //nolint:containedctx // testscript's commands have no argument for it
	env       *testscript.Env
	server    *harness.Server
	processes map[string]*harness.Process
}

type storyKey struct{}

// setUp gives a script its database and the files that all scripts share.
func setUp(e *testscript.Env, database func(testing.TB) string) error {
	t, ok := e.T().(testing.TB)
	if !ok {
		return fmt.Errorf("%T is not a test", e.T())
	}
	s := &story{ctx: t.Context(), env: e, processes: map[string]*harness.Process{}}
	e.Values[storyKey{}] = s
	e.Defer(s.end)
	if url := database(t); url != "" {
		e.Setenv("PORTALHOOKS_DATABASE", url)
	}
	e.Setenv("PORTALHOOKS_LISTEN", "127.0.0.1:0")
	clients, err := filepath.Abs(filepath.Join(harness.Root, "test", "clients"))
	if err != nil {
		return err
	}
	e.Setenv("CLIENTS", clients)
	for _, dir := range []string{filepath.Join(harness.Root, "examples"), filepath.Join("testdata", "script",
		"queries")} {
		if err := os.CopyFS(filepath.Join(e.WorkDir, filepath.Base(dir)), os.DirFS(dir)); err != nil {
			return err
		}
	}
	return writeExpectations(filepath.Join(e.WorkDir, "want"))
}

// end ends what the script left running.
func (s *story) end() {
	for _, p := range s.processes {
		_ = p.Kill()
	}
}

// A catalogueMessages is the part of the catalogue with messages in it.
type catalogueMessages struct {
	EventTypes []struct {
		ID      string  `json:"id"`
		Preview promise `json:"preview"`
	} `json:"event_types"`
	RestartExample struct {
		Notifications []struct {
			Body promise `json:"body"`
		} `json:"notifications"`
	} `json:"restart_example"`
}

// A promise is the body of a webhook by a default template.
type promise struct {
	Message map[string]json.RawMessage `json:"message"`
}

// writeExpectations writes the messages that the catalogue promises: the four
// of the Restart example, and one of each event type with the Restart's other
// two devices.
func writeExpectations(dir string) error {
	text, err := os.ReadFile(filepath.Join(harness.Root, "delivery", "catalogue.json"))
	if err != nil {
		return err
	}
	var c catalogueMessages
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	var restart, previews []promise
	for _, n := range c.RestartExample.Notifications {
		restart = append(restart, asText(n.Body))
	}
	for _, t := range c.EventTypes {
		m := asText(t.Preview)
		// What happens on a device happened when it ended there.
		if _, ok := m.Message["workspace_id"]; ok {
			if ended, ok := m.Message["operation_enddate"]; ok {
				m.Message["timestamp"] = ended
			}
		}
		previews = append(previews, m)
	}
	previews = append(previews, restart[1], restart[2])
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, messages := range map[string][]promise{"restart.json": restart, "every-type.json": previews} {
		text, err := json.MarshalIndent(messages, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// asText turns numbers, lists and objects into text: a variable stands inside
// a string of the template, and so does its value in the message.
func asText(m promise) promise {
	for key, value := range m.Message {
		if !strings.HasPrefix(string(value), `"`) {
			m.Message[key], _ = json.Marshal(string(value)) // text always has a JSON form
		}
	}
	return m
}
