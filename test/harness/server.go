package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"portalhooks/app"
)

// A Server is the real program, serving in a folder of its own.
type Server struct {
	*Process
	URL string // http://host:port
	app.LocalCredentials
}

// serving matches what the program prints when it can be reached: on standard
// output in development mode, in its log in production.
var serving = regexp.MustCompile(`(?:Sign in once:  http://|msg=serving address=)([^\s/]+)`)

// StartServer starts the program in dir and returns when it is ready.
func StartServer(ctx context.Context, dir string, env []string, args ...string) (*Server, error) {
	return startProgram(ctx, "portalhooks", dir, env, args...)
}

// startProgram is StartServer with another build of the program.
func startProgram(ctx context.Context, program, dir string, env []string, args ...string) (*Server, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, err
	}
	production := slices.Contains(args, "--production")
	if !production && slices.ContainsFunc(env, onPostgres) {
		args = append(args, "--development")
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"serve"}, args...)...)
	cmd.Dir, cmd.Env = dir, env
	p, err := StartProcess(cmd)
	if err != nil {
		return nil, err
	}
	where := &p.Out
	if production {
		where = &p.Err
	}
	found, err := p.WaitFor(where, serving)
	if err != nil {
		_ = p.Kill()
		return nil, err
	}
	s := &Server{Process: p, URL: "http://" + found[1]}
	err = Eventually(ctx, s.URL+"/readyz answers 200", func(ctx context.Context) (bool, error) {
		status, _, err := Get(ctx, s.URL+"/readyz")
		return err == nil && status == http.StatusOK, nil
	})
	if err == nil {
		// In production there may be no such file.
		s.LocalCredentials, _ = app.ReadCredentials(filepath.Join(dir, app.DataFolder, app.CredentialFile))
	}
	return s, err
}

// onPostgres reports whether a variable of the environment names a PostgreSQL
// database, with which the server is in production mode unless told otherwise.
func onPostgres(variable string) bool {
	return strings.HasPrefix(variable, "PORTALHOOKS_DATABASE=postgres")
}

// Single makes one call per connection, so that no connection outlives a story.
var Single = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// Get fetches a page.
func Get(ctx context.Context, url string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	return Send(Single, req)
}

// Post sends body, which should be a GraphQL request, with a key.
func Post(
	ctx context.Context, c *http.Client, url, key string, body []byte,
) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	return Send(c, req)
}

// Send sends a request and reads the answer.
func Send(c *http.Client, req *http.Request) (status int, body []byte, err error) {
	resp, err := c.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// Ask sends a query and returns the whole answer.
func Ask(ctx context.Context, url, key, query string, variables map[string]any) (int, []byte, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return 0, nil, err
	}
	return Post(ctx, Single, url, key, body)
}

// At returns what a path such as data.nodes.0.id leads to in a JSON text. A
// last step of len asks for the length of a list.
func At(text []byte, path string) (any, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("not JSON: %w in %.500s", err, text)
	}
	for step := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[step]
			if !ok {
				return nil, fmt.Errorf("no %q of %q in %.2000s", step, path, text)
			}
			value = next
		case []any:
			if step == "len" {
				value = len(v)
				continue
			}
			i := -1
			if _, err := fmt.Sscan(step, &i); err != nil || i < 0 || i >= len(v) {
				return nil, fmt.Errorf("no %q of %q in %.2000s", step, path, text)
			}
			value = v[i]
		default:
			return nil, fmt.Errorf("no %q of %q in %.2000s", step, path, text)
		}
	}
	return value, nil
}

// TextAt is at, as text: a string as it is, everything else as compact JSON.
func TextAt(text []byte, path string) (string, error) {
	value, err := At(text, path)
	if s, ok := value.(string); ok || err != nil {
		return s, err
	}
	compact, err := json.Marshal(value)
	return string(compact), err
}
