package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// link matches the target of a Markdown link, without its anchor.
var link = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)

func TestLinksInTheDocsLeadSomewhere(t *testing.T) {
	for file, text := range markdown(t) {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			target := found[1]
			if strings.Contains(target, ":") {
				continue // another site: a test does not leave this machine
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), target)); err != nil {
				t.Errorf("%s links to %s, which does not exist", file, target)
			}
		}
	}
}

// README's walk is how a newcomer finds the way: it leaves no file out.
func TestTheWalkNamesEveryFileOfThePipeline(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, walk, _ := strings.Cut(string(text), "\n## The walk of one event\n")
	walk, _, _ = strings.Cut(walk, "\n## ")
	files, err := filepath.Glob("../delivery/pipeline/*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("found the files %v, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimPrefix(filepath.ToSlash(file), "../")
		if !strings.HasSuffix(name, "_test.go") && !strings.Contains(walk, "]("+name+")") {
			t.Errorf("README's walk does not name %s", name)
		}
	}
}

// maxWidth matches the width of a line in .editorconfig.
var maxWidth = regexp.MustCompile(`(?m)^max_line_length = (\d+)$`)

// Tables, headings, code and URLs can't be wrapped.
func TestLinesFitTheWidth(t *testing.T) {
	settings, err := os.ReadFile("../.editorconfig")
	if err != nil {
		t.Fatal(err)
	}
	found := maxWidth.FindSubmatch(settings)
	if found == nil {
		t.Fatal(".editorconfig has no max_line_length")
	}
	width, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range markdown(t) {
		for number, line := range wrappable(text) {
			if got := utf8.RuneCountInString(line); got > width {
				t.Errorf("%s:%d: the line has %d characters, want at most %d", file, number, got, width)
			}
		}
	}
}

// wrappable returns the lines of a Markdown text that can be wrapped, by number.
func wrappable(text string) map[int]string {
	lines, fenced := map[int]string{}, false
	for i, line := range strings.Split(text, "\n") {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence:
			fenced = !fenced
		case fenced, fixed.MatchString(line):
		default:
			lines[i+1] = line
		}
	}
	return lines
}

// fixed matches tables, headings, indented code, and lines with a URL.
var fixed = regexp.MustCompile(`^\||^#|^    |://`)

// markdown returns the Markdown files of the repository, by their path from here.
func markdown(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			hidden := strings.HasPrefix(name, ".") && file != ".."
			if hidden || slices.Contains([]string{"data", "dist", "node_modules", "testdata"}, name) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(file)
		files[file] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found %d Markdown files: this test does not see the repository", len(files))
	}
	return files
}
