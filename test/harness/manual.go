package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// SettingsOf returns the YAML block of a section of the manual, without its
// indentation.
func SettingsOf(t *testing.T, page, section string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Root, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+section+"\n")
	if !found {
		t.Fatalf("%s has no section %q", page, section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	for paragraph := range strings.SplitSeq(rest, "\n\n") {
		lines := strings.Split(strings.TrimRight(paragraph, "\n"), "\n")
		indent := len(lines[0]) - len(strings.TrimLeft(lines[0], " "))
		key, _, _ := strings.Cut(strings.TrimSpace(lines[0]), ": ")
		if indent < 4 || strings.ContainsAny(key, " .'\"(") {
			continue // words, or a command
		}
		for i, line := range lines {
			if strings.TrimSpace(line[:min(indent, len(line))]) != "" {
				t.Fatalf("%s, %s: %q has not the indentation of its block", page, section, line)
			}
			lines[i] = line[indent:]
		}
		return strings.Join(lines, "\n") + "\n"
	}
	t.Fatalf("%s, %s: there are no settings", page, section)
	return ""
}

// ReplaceAll puts what is true of a test in the place of what the manual says.
// Each has to be there.
func ReplaceAll(t *testing.T, text string, pairs map[string]string) string {
	t.Helper()
	for old, replacement := range pairs {
		if !strings.Contains(text, old) {
			t.Errorf("the manual's settings no longer have %q:\n%s", old, text)
		}
		text = strings.ReplaceAll(text, old, replacement)
	}
	return text
}
