package api

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"portalhooks/graph"
	"portalhooks/test/harness"
)

// fence matches a block of code: its language, its name and its text.
var fence = regexp.MustCompile("(?ms)^```(graphql|json|js|sh)(?: ([\\w ]+))?\n(.*?)^```$")

// An example is a block of code of a page of the docs.
type example struct{ language, name, text string }

func examples(t *testing.T, page string) (all []example) {
	t.Helper()
	for _, found := range fence.FindAllStringSubmatch(docsPage(t, page), -1) {
		all = append(all, example{found[1], found[2], found[3]})
	}
	if len(all) < 8 {
		t.Fatalf("found %d examples: this test does not see the page", len(all))
	}
	return all
}

func docsPage(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The examples of docs/api.md do what the page says, on a real server.
func TestExamplesOfTheDocsWork(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		w := harness.NewWorld(t, s)
		variables := map[string]any{
			"webhook": w.A.Names["webhook"], "after": nil,
			"input": map[string]any{
				"organizationId": w.A.Names["externalId"], "name": "From the docs", "eventType": "OBJECT_CREATED",
				"targetUrl": w.Receiver, "selection": map[string]any{"all": true},
			},
		}
		for _, e := range examples(t, "api.md") {
			switch {
			case e.name == "relay":
				compileForRelay(t, e.text)
			case e.language == "graphql":
				w.Must(t, w.A.Admin, e.text, used(t, e.text, variables))
			case e.name == "follow":
				followByTheDocs(t, w, e.text)
			default:
				if output, ok := runExample(t, w.URL, w.A.Admin, e.text); !ok || strings.TrimSpace(output) == "" {
					t.Errorf("the example %s printed %q and failed", e.name, output)
				}
			}
		}
	})
}

// used returns the variables that a document declares.
func used(t *testing.T, document string, all map[string]any) map[string]any {
	t.Helper()
	doc, err := parser.ParseQuery(&ast.Source{Input: document})
	if err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	some := map[string]any{}
	for _, v := range doc.Operations[0].VariableDefinitions {
		value, ok := all[v.Variable]
		if !ok {
			t.Errorf("no value for $%s of %s", v.Variable, document)
		}
		some[v.Variable] = value
	}
	return some
}

// placed returns an example for the server at url, with an API key.
func placed(source, url, key string) string {
	host := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/graphql")
	return strings.NewReplacer(
		"https://hooks.example.com", "http://"+host, "wss://hooks.example.com", "ws://"+host, "phk_…", key,
	).Replace(source)
}

// runExample runs JavaScript against the server at url, with an API key.
func runExample(t *testing.T, url, key, source string) (output string, ok bool) {
	t.Helper()
	source = placed(source, url, key)
	clients, err := filepath.Abs(filepath.Join(harness.Root, "test", "clients"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "example.mjs")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	err = os.Symlink(filepath.Join(clients, "node_modules"), filepath.Join(folder, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	return runClient(t, file)
}

func compileForRelay(t *testing.T, document string) {
	t.Helper()
	folder := t.TempDir()
	sdl, operations := filepath.Join(folder, "schema.graphql"), filepath.Join(folder, "app.graphql")
	for file, text := range map[string]string{sdl: graph.SDL(), operations: document} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if output, ok := runClient(t, "generators.mjs", "relay-compiler", sdl, operations); !ok {
		t.Errorf("relay-compiler refuses the example: %s", output)
	}
}

// followByTheDocs cuts every connection of the example after two entries, and
// wants all entries of the log, each once.
func followByTheDocs(t *testing.T, w *harness.World, source string) {
	t.Helper()
	log := w.Must(t, w.A.Admin, `{ organization { deliveries(first: 100) { nodes { attempts { id } } } } }`, nil)
	want := len(log.List(t, "organization.deliveries.nodes"))
	source = strings.Replace(source, `import WebSocket from "ws";`, `import WS from "ws";
let socket;
class WebSocket extends WS {
  constructor(...all) {
    super(...all);
    socket = this;
  }
}
`, 1) + `
const seen = [];
for await (const item of follow("` + harness.LogStart() + `")) {
  if (item.__typename !== "DeliveryLogEntry") continue;
  if (seen.push(item.cursor) === ` + strconv.Itoa(want) + `) break;
  if (seen.length % 2 === 0) socket.terminate();
}
if (new Set(seen).size !== seen.length) throw new Error("an entry came twice");
console.log(seen.length);
process.exit(0);
`
	output, ok := runExample(t, w.URL, w.A.Admin, source)
	if !ok || strings.TrimSpace(output) != strconv.Itoa(want) {
		t.Errorf("the example printed %q, want %d entries", output, want)
	}
}
