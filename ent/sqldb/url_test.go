package sqldb

import (
	"net/url"
	"strings"
	"testing"
)

func TestBadURLsSayWhatToWrite(t *testing.T) {
	for name, tt := range map[string]struct{ url, want string }{
		"empty":                    {"", "no database is given"},
		"a path alone":             {"data/portalhooks.db", "must be a URL"},
		"another database":         {"mysql://u:secret@h/d", "must be sqlite or postgres"},
		"no file":                  {"sqlite:", "names no file"},
		"a folder":                 {"sqlite:data/", "names no file"},
		"memory":                   {"sqlite::memory:", "in memory"},
		"settings of a file":       {"sqlite:a.db?mode=ro", "takes no settings"},
		"no database":              {"postgres://u:secret@h:5432", "names no database"},
		"no slashes":               {"postgres:h/d", "names no database"},
		"unescaped password":       {"postgres://u:sec%ret@h/d", "%40, %2F and %25"},
		"unknown value of setting": {"postgres://u:secret@h/d?sslmode=perhaps", "setting that can't be used"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), Options{URL: tt.url})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Open(%q) = %v, want an error with %q", tt.url, err, tt.want)
			}
			if strings.Contains(err.Error(), "sec") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestGoodURLsAreUnderstood(t *testing.T) {
	for name, tt := range map[string]struct {
		url, path string
		kind      string
		settings  map[string]string
	}{
		"relative file": {url: "sqlite:data/a.db", path: "data/a.db", kind: sqliteName},
		"absolute file": {url: "sqlite:/var/lib/a b%.db", path: "/var/lib/a b%.db", kind: sqliteName},
		"file URL":      {url: "SQLite:///var/lib/a.db", path: "/var/lib/a.db", kind: sqliteName},
		"long scheme":   {url: "postgresql://u@h/d", kind: postgresName},
		"own settings": {
			url: "postgres://h/d?application_name=me", kind: postgresName,
			settings: map[string]string{"application_name": "me"},
		},
		"given settings": {
			url: "postgres://h/d?sslmode=disable", kind: postgresName,
			settings: map[string]string{
				"sslmode": "disable", "binary_parameters": "yes", "application_name": "portalhooks", "connect_timeout": "10",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseURL(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if got.kind != tt.kind || got.path != tt.path {
				t.Errorf("got %s with the file %q, want %s with %q", got.kind, got.path, tt.kind, tt.path)
			}
			if tt.kind == sqliteName {
				if !strings.Contains(got.write, "_txlock=immediate") || !strings.Contains(got.read, "_query_only=1") {
					t.Errorf("the pools are %q and %q, want one that writes and one that can't", got.write, got.read)
				}
				return
			}
			u, err := url.Parse(got.write)
			if err != nil {
				t.Fatal(err)
			}
			for key, want := range tt.settings {
				if value := u.Query().Get(key); value != want {
					t.Errorf("%s is %q, want %q", key, value, want)
				}
			}
		})
	}
}
