package cli

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"portalhooks/app"
)

// Settings that can't work are refused at the start, with what to do.
func TestSettingsOfTheProvider(t *testing.T) {
	good := func() *app.OIDCFlags {
		return &app.OIDCFlags{
			OIDCIssuer: "https://id.example/realms/it", OIDCClientID: "portalhooks", OIDCGrantsClaim: "groups",
			OIDCGrant: []string{"a=admin@acme"},
		}
	}
	for name, tt := range map[string]struct {
		change func(f *app.OIDCFlags)
		base   string
		want   string // of the error; empty for none
	}{
		"nothing at all":      {func(f *app.OIDCFlags) { *f = app.OIDCFlags{} }, "", ""},
		"people":              {func(*app.OIDCFlags) {}, "https://hooks.example", ""},
		"people, a slash":     {func(*app.OIDCFlags) {}, "https://hooks.example/", ""},
		"people, on loopback": {func(f *app.OIDCFlags) { f.OIDCIssuer = "http://127.0.0.1:5556/dex" }, "http://localhost:8080", ""},
		"programs only":       {func(f *app.OIDCFlags) { f.OIDCClientID, f.OIDCAudience = "", "api" }, "", ""},
		"no issuer":           {func(f *app.OIDCFlags) { f.OIDCIssuer = "" }, "https://hooks.example", "need --oidc-issuer"},
		"an issuer in clear":  {func(f *app.OIDCFlags) { f.OIDCIssuer = "http://id.example" }, "https://hooks.example", "--oidc-issuer must be the https URL"},
		"an issuer of words":  {func(f *app.OIDCFlags) { f.OIDCIssuer = "keycloak" }, "https://hooks.example", "--oidc-issuer must be the https URL"},
		"no client":           {func(f *app.OIDCFlags) { f.OIDCClientID = "" }, "", "needs --oidc-client-id"},
		"a secret alone":      {func(f *app.OIDCFlags) { f.OIDCClientID, f.OIDCAudience, f.OIDCClientSecretFile = "", "api", "x" }, "", "--oidc-client-secret-file needs"},
		"no rule":             {func(f *app.OIDCFlags) { f.OIDCGrant = nil }, "https://hooks.example", "needs --oidc-grant"},
		"a bad rule":          {func(f *app.OIDCFlags) { f.OIDCGrant = []string{"a=root"} }, "https://hooks.example", "--oidc-grant: \"a=root\" is not a rule"},
		"no public URL":       {func(*app.OIDCFlags) {}, "", "needs --public-url"},
		"a public path":       {func(*app.OIDCFlags) {}, "https://hooks.example/x", "needs --public-url"},
		"public, in clear":    {func(*app.OIDCFlags) {}, "http://hooks.example", "needs --public-url"},
	} {
		f := good()
		tt.change(f)
		var base *url.URL
		if tt.base != "" {
			var err error
			if base, err = url.Parse(tt.base); err != nil {
				t.Fatal(err)
			}
		}
		err := f.CheckProvider(base)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: err = %v, want %q", name, err, tt.want)
		}
	}
}

func TestClientSecretIsInAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	f := &app.OIDCFlags{OIDCClientSecretFile: file}
	for _, tt := range []struct{ content, want string }{{"s3cret\n", "s3cret"}, {"\n", ""}} {
		if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Secret(); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: secret = %q, %v", tt.content, got, err)
		}
	}
}

// A rule may hold commas, which part the values of a list elsewhere.
func TestRulesFromTheSettingsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "portalhooks.yaml")
	text := "oidc-grant:\n  - CN=hooks,OU=it=admin@acme\n  - ops=operator\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"the file":         {"serve", "--config", file},
		"the command line": {"serve", "--oidc-grant", `CN=hooks\,OU=it=admin@acme`, "--oidc-grant", "ops=operator"},
	} {
		cmd, err := parse(args, os.Stdout, os.Stderr)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		serve, ok := cmd.(*serveCmd)
		if !ok {
			t.Fatalf("%s: the command is %T", name, cmd)
		}
		if want := []string{"CN=hooks,OU=it=admin@acme", "ops=operator"}; !slices.Equal(serve.OIDCGrant, want) {
			t.Errorf("%s: rules %q, want %q", name, serve.OIDCGrant, want)
		}
	}
}
