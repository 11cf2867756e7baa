package main

import (
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path that go.mod gives this module.
const module = "portalhooks"

// A room says which packages of this module one package may import. A name
// that ends in /... stands for the packages below it too.
type room struct {
	imports []string // by the package and by its tests
	tests   []string // by its tests alone
}

// endToEnd is what the tests of the whole may look at beside their harness.
var endToEnd = []string{
	"app", "auth/authtest", "bench", "cli", "delivery", "delivery/egress", "delivery/failpoint", "delivery/feed",
	"delivery/loop", "delivery/receiver", "delivery/seal", "delivery/service", "delivery/signature", "ent",
	"ent/enttest", "ent/migrate", "graph", "graph/limits", "graph/model", "graph/transport", "schema",
	"test/collector", "test/faults", "test/harness",
}

// rooms is the import law. An arrow that is missing here is a decision, not an
// oversight; a package that is missing has not been thought about.
var rooms = map[string]room{
	// The program: main calls the command line, which calls the server.
	".": {imports: []string{"cli"}, tests: nil},
	"cli": {imports: []string{
		"app", "bench", "delivery", "delivery/loop", "delivery/receiver", "delivery/seal", "delivery/service", "ent",
	}},
	"app": {
		imports: []string{
			"delivery", "delivery/service", "delivery/egress", "delivery/receiver", "delivery/seal", "auth", "console",
			"ent", "graph", "graph/transport", "httpserver",
		},
		tests: []string{"delivery/memstore", "test/collector"},
	},
	"httpserver": {},

	// The tests of the whole. They use what is exported.
	"test/collector": {},
	"test/harness": {imports: []string{
		"app", "auth/authtest", "cli", "delivery", "delivery/feed", "delivery/loop", "delivery/seal",
		"delivery/service", "delivery/signature", "ent", "ent/enttest",
	}},
	"test/api":     {tests: endToEnd},
	"test/cluster": {tests: endToEnd},
	"test/faults":  {tests: endToEnd},
	"test/signin":  {tests: endToEnd},
	"test/story":   {tests: endToEnd},

	// The API. It never meets the storage, not even in its tests.
	"schema": {},
	"graph": {
		imports: []string{
			"delivery", "delivery/egress", "delivery/service", "delivery/template", "graph/gen/...", "graph/limits",
			"graph/model", "graph/transport", "schema",
		},
		tests: []string{"delivery/storetest", "delivery/seal"},
	},
	"graph/gen": {imports: []string{
		"delivery", "delivery/service", "delivery/egress", "graph/gen/...", "graph/model",
	}},
	"graph/limits":    {},
	"graph/model":     {imports: []string{"delivery", "delivery/service"}},
	"graph/transport": {imports: []string{"graph/limits"}},

	// The domain. It knows neither the API nor the storage: the service is built
	// on the pipeline, the pipeline on the scheduler, and all on the nouns.
	"delivery/service": {
		imports: []string{
			"delivery", "delivery/pipeline", "delivery/cache", "delivery/credential", "delivery/egress",
			"delivery/loop", "delivery/seal", "delivery/signature", "delivery/template",
		},
		tests: []string{
			"delivery/deliverytest", "delivery/fair", "delivery/feed", "delivery/memstore", "test/faults",
		},
	},
	"delivery/pipeline": {
		imports: []string{
			"delivery", "delivery/cache", "delivery/fair", "delivery/egress", "delivery/failpoint", "delivery/feed",
			"delivery/loop", "delivery/seal", "delivery/signature", "delivery/template",
		},
		tests: []string{"delivery/deliverytest", "delivery/memstore"},
	},
	"delivery/cache": {
		imports: []string{"delivery", "delivery/seal", "delivery/signature"},
		tests:   []string{"delivery/deliverytest", "delivery/memstore"},
	},
	"delivery/fair": {imports: []string{"delivery", "delivery/egress"}},
	"delivery": {
		imports: []string{"delivery/credential", "delivery/egress", "delivery/seal", "delivery/template"},
	},
	"delivery/deliverytest": {imports: []string{"delivery"}},
	"delivery/memstore":     {imports: []string{"delivery", "delivery/loop"}, tests: []string{"delivery/storetest"}},
	"delivery/credential":   {},
	"delivery/egress":       {imports: []string{"delivery/failpoint", "delivery/egress/http1"}, tests: []string{"test/faults"}},
	"delivery/egress/http1": {imports: []string{"delivery/failpoint"}},
	"delivery/failpoint":    {},
	"delivery/feed":         {imports: []string{"delivery/failpoint", "delivery/loop"}},
	"delivery/receiver":     {imports: []string{"delivery/loop", "delivery/signature"}}, // the simulated ones check it
	"delivery/seal":         {},
	"delivery/signature":    {},
	"delivery/template":     {},
	"delivery/loop":         {},
	"delivery/storetest":    {imports: []string{"delivery", "delivery/egress"}},

	// The storage. Only it imports its generated code. Of egress it knows the
	// outcomes of a call.
	"ent": {
		imports: []string{
			"delivery", "delivery/egress", "delivery/failpoint", "delivery/loop", "ent/gen/...", "ent/migrate",
			"ent/queue", "ent/sqldb",
		},
		tests: []string{"delivery/storetest", "ent/enttest", "test/faults"},
	},
	"ent/queue": {
		imports: []string{"delivery", "delivery/egress", "delivery/failpoint", "delivery/loop", "ent/sqldb"},
		tests:   []string{"delivery/storetest", "ent/enttest", "ent/migrate", "test/faults"},
	},
	"ent/sqldb":   {imports: []string{"delivery", "delivery/loop"}, tests: []string{"ent/enttest"}},
	"ent/enttest": {},
	"ent/gen":     {imports: []string{"delivery", "ent/gen/...", "ent/schema"}},
	"ent/migrate": {
		imports: []string{"delivery", "delivery/loop", "ent/gen/...", "ent/sqldb"},
		tests:   []string{"ent/enttest", "ent/queue"},
	},
	"ent/schema": {imports: []string{"delivery"}},

	"auth": {
		imports: []string{"delivery", "delivery/credential"},
		tests:   []string{"auth/authtest", "delivery/service", "delivery/memstore", "delivery/seal"},
	},
	"auth/authtest": {},
	"bench": {imports: []string{
		"delivery", "delivery/service", "delivery/egress", "delivery/loop", "delivery/seal",
		"delivery/signature", "ent",
	}},
	"console": {},

	// Its tests hold the documentation to its form.
	"docs": {},
}

// ruleOf returns the rule for the package in dir. Packages below a folder
// called gen share the rule of that folder.
func ruleOf(dir string) (room, bool) {
	if before, _, ok := strings.Cut(dir+"/", "/gen/"); ok {
		dir = before + "/gen"
	}
	rule, ok := rooms[dir]
	return rule, ok
}

// allows reports whether names has the package at dir.
func allows(names []string, dir string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		above, deep := strings.CutSuffix(name, "/...")
		return dir == above || deep && strings.HasPrefix(dir, above+"/")
	})
}

func TestImportsFollowTheLaw(t *testing.T) {
	for file, source := range goFiles(t) {
		rule, ok := ruleOf(path.Dir(file))
		if !ok {
			t.Errorf("%s: there is no rule for this package: decide what it may import and add it to rooms", file)
			continue
		}
		allowed := rule.imports
		if strings.HasSuffix(file, "_test.go") {
			// An external test imports the package that it tests.
			allowed = slices.Concat(allowed, rule.tests, []string{path.Dir(file)})
		}
		for _, spec := range source.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatalf("%s: import %s: %v", file, spec.Path.Value, err)
			}
			if name, ours := strings.CutPrefix(name, module+"/"); ours && !allows(allowed, name) {
				t.Errorf("%s imports %s, which the import law forbids", file, name)
			}
		}
	}
}

// The law as a person would say it. Were rooms changed to allow one of these,
// the change would have to be made here as well.
func TestLawKeepsTheRoomsApart(t *testing.T) {
	for _, never := range []struct{ from, to string }{
		{"graph", "ent"},
		{"graph", "ent/gen"},
		{"ent", "graph"},
		{"delivery", "graph"},
		{"delivery", "ent"},
		{"delivery", "auth"},
		{"delivery/template", "delivery"},
		{"delivery/egress", "delivery/template"},
		{"graph/transport", "graph"},
		{"graph/transport", "delivery"},
		{"auth", "ent"},
		{"console", "graph"},
		{".", "app"},
		{"app", "cli"},
		{"cli", "graph"},
		{"app", "ent/gen"},
		{"app", "graph/gen"},
		{"delivery", "delivery/fair"},
		{"delivery/fair", "delivery/pipeline"},
		{"delivery/pipeline", "delivery/service"},
		{"graph", "delivery/pipeline"},
		{"ent", "delivery/pipeline"},
		{"ent", "delivery/service"},
	} {
		rule, ok := ruleOf(never.from)
		if !ok {
			t.Errorf("%s has no rule", never.from)
		}
		if allows(slices.Concat(rule.imports, rule.tests), never.to) {
			t.Errorf("the law lets %s import %s", never.from, never.to)
		}
	}
}

func TestGeneratedCodeLivesInGen(t *testing.T) {
	for file, source := range goFiles(t) {
		inGen := strings.Contains("/"+file, "/gen/")
		if generated := ast.IsGenerated(source); generated != inGen {
			t.Errorf("%s: generated is %t, but in a folder called gen is %t", file, generated, inGen)
		}
	}
}

func TestEveryPackageHasADoc(t *testing.T) {
	documented := map[string]bool{}
	for file, source := range goFiles(t) {
		dir := path.Dir(file)
		if strings.HasSuffix(file, "_test.go") || strings.Contains("/"+dir+"/", "/gen/") {
			continue
		}
		documented[dir] = documented[dir] || source.Doc != nil
	}
	for _, dir := range slices.Sorted(maps.Keys(documented)) {
		if !documented[dir] {
			t.Errorf("package %s has no doc that says what it is for", dir)
		}
	}
}

// maxLines is where a file has become two.
const maxLines = 450

func TestHandWrittenFilesAreShort(t *testing.T) {
	for file, text := range texts(t, ".go", ".ts", ".tsx", ".graphql") {
		if lines := strings.Count(text, "\n"); lines > maxLines {
			t.Errorf("%s has %d lines, want at most %d: it holds more than one noun or verb", file, lines, maxLines)
		}
	}
}

// A reminder without an issue is forgotten. The words are put together here so
// that this file does not hold them.
var (
	reminder = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)
	issue    = regexp.MustCompile(`#\d+`)
)

func TestRemindersNameAnIssue(t *testing.T) {
	for file, text := range texts(t, ".go", ".ts", ".tsx", ".graphql", ".sql", ".sh", ".yml") {
		for i, line := range strings.Split(text, "\n") {
			if reminder.MatchString(line) && !issue.MatchString(line) {
				t.Errorf("%s:%d: a reminder without the number of an issue", file, i+1)
			}
		}
	}
}

// refused matches a word of the glossary that is never the right one.
var refused = regexp.MustCompile(`\*\*([^*]+)\*\*`)

// The glossary has the words; in Go the ones it refuses don't come back. Text in
// quotes is not looked at: tables and clients have their own names.
func TestGoCodeUsesTheWordsOfTheGlossary(t *testing.T) {
	glossary, err := os.ReadFile("docs/glossary.md")
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for line := range strings.Lines(string(glossary)) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		for _, found := range refused.FindAllStringSubmatch(line, -1) {
			words = append(words, regexp.QuoteMeta(strings.ToLower(found[1])))
		}
	}
	if len(words) < 20 {
		t.Fatalf("found %v: this test does not see the glossary", words)
	}
	not := regexp.MustCompile(`\b(` + strings.Join(words, "|") + `)(s|ed|ing|er|ers)?\b`)
	for file := range texts(t, ".go") {
		for line, text := range wordsOf(t, file) {
			if word := not.FindString(text); word != "" {
				t.Errorf("%s:%d: says %q, which the glossary refuses", file, line, word)
			}
		}
	}
}

// camel matches where a word begins inside of an identifier, article where one
// begins after the word "A".
var (
	camel   = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	article = regexp.MustCompile(`(A)([A-Z][a-z])`)
)

// wordsOf returns the comments and identifiers of a Go file by line, in small
// letters and with identifiers taken apart.
func wordsOf(t *testing.T, file string) map[int]string {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var s scanner.Scanner
	s.Init(set.AddFile(file, -1, len(source)), source, nil, scanner.ScanComments)
	words := map[int]string{}
	for {
		at, kind, text := s.Scan()
		switch kind {
		case token.EOF:
			return words
		case token.COMMENT, token.IDENT:
			line := set.Position(at).Line
			text = article.ReplaceAllString(camel.ReplaceAllString(text, "$1 $2"), "$1 $2")
			words[line] += " " + strings.ToLower(text)
		}
	}
}

// goFiles returns the comments, the imports and the package clause of every Go
// file of the module, by its path.
func goFiles(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	set := token.NewFileSet()
	walk(t, func(file string) {
		if path.Ext(file) != ".go" {
			return
		}
		source, err := parser.ParseFile(set, file, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files[file] = source
	})
	if len(files) < 10 {
		t.Fatalf("found %d Go files: this test does not see the module", len(files))
	}
	return files
}

// texts returns the hand-written files with one of the extensions, by path.
func texts(t *testing.T, extensions ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	walk(t, func(file string) {
		if !slices.Contains(extensions, path.Ext(file)) || strings.Contains("/"+file, "/gen/") {
			return
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found[file] = string(text)
	})
	return found
}

// walk calls visit with every file that belongs to the module: not what tools
// bring or build, test data, or another module.
func walk(t *testing.T, visit func(file string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() {
			visit(filepath.ToSlash(file))
			return nil
		}
		name := entry.Name()
		_, otherModule := os.Stat(filepath.Join(file, "go.mod"))
		switch {
		case file == ".":
			return nil
		case otherModule == nil, file == "data", strings.HasPrefix(name, "."), strings.HasPrefix(name, "_"):
			return filepath.SkipDir
		case slices.Contains([]string{"testdata", "node_modules", "dist"}, name):
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
