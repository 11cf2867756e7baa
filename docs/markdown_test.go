package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
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
