package template

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite testdata/golden.json (a breaking change)")

type goldenCase struct {
	Name     string          `json:"name"`
	Template string          `json:"template"`
	Values   json.RawMessage `json:"values"`
	Message  string          `json:"message"`
}

// TestGoldenBytes pins messages byte by byte. A retry renders its message again and
// must send the bytes of the first attempt, so any difference is a breaking change,
// even between equal JSON values.
func TestGoldenBytes(t *testing.T) {
	const path = "testdata/golden.json"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for i := range cases {
		c := &cases[i]
		zone := time.FixedZone("UTC+2", 2*60*60)
		tmpl := mustCompile(t, c.Template, Options{TimeZone: zone})
		got, err := tmpl.Render(nil, mustValues(t, string(c.Values)), 0)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if string(got) != c.Message && !*update {
			t.Errorf("%s:\n got %s\nwant %s", c.Name, got, c.Message)
		}
		c.Message = string(got)
	}
	if *update {
		writeGolden(t, path, cases)
	}
}

func writeGolden(t *testing.T, path string, cases []goldenCase) {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(cases); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestGoldenASCII pins the escaping of every ASCII character.
func TestGoldenASCII(t *testing.T) {
	var all strings.Builder
	for b := range byte(0x80) {
		all.WriteByte(b)
	}
	const want = "\"\uFFFD" +
		`\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f` +
		`\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f` +
		` !\"#$%\u0026'()*+,-./0123456789:;\u003c=\u003e?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_` +
		"`abcdefghijklmnopqrstuvwxyz{|}~" + `\u007f"`
	got, err := mustCompile(t, `"#alert_name"`, Options{}).
		Render(nil, Values{}.With(Text{"alert_name", all.String()}), 0)
	if err != nil || string(got) != want {
		t.Errorf("message = %s, %v\nwant %s", got, err, want)
	}
}
