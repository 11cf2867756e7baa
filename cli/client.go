package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"portalhooks/app"
	"portalhooks/delivery/loop"
)

// serverFlags say which server a command calls. Without them it calls the
// development server that was started in the same folder.
type serverFlags struct {
	URL string `name:"url" help:"URL of the server, such as https://hooks.example.com." placeholder:"URL"`
	Key string `help:"API key. Prefer the variable PORTALHOOKS_KEY: other users of the machine can see the command line." placeholder:"KEY"`
}

// A Client talks to a server's GraphQL API.
type Client struct {
	HTTP     *http.Client
	endpoint string
	key      string
	waits    func(status string, pause time.Duration) // called before each pause of do; may be nil
}

// NewClient returns a client of a server, such as https://hooks.example.com, with
// an API key.
func NewClient(server, key string) *Client {
	return &Client{HTTP: &http.Client{}, endpoint: strings.TrimSuffix(server, "/") + "/graphql", key: key}
}

// connect returns a client. Local selects the key from the credentials of a
// development server.
func (f serverFlags) connect(local func(app.LocalCredentials) string) (*Client, error) {
	if f.URL == "" || f.Key == "" {
		found, err := app.ReadCredentials(filepath.Join(app.DataFolder, app.CredentialFile))
		if err != nil {
			return nil, errors.New("set the server and the API key with --url and --key " +
				"(or PORTALHOOKS_URL and PORTALHOOKS_KEY), or start a server in this folder first")
		}
		if f.URL == "" {
			f.URL = found.URL
		}
		if f.Key == "" {
			f.Key = local(found)
		}
	}
	if err := checkServer(f.URL); err != nil {
		return nil, err
	}
	return NewClient(f.URL, f.Key), nil
}

// checkServer refuses what can't be the URL of a server.
func checkServer(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("--url must be the URL of a server, such as https://hooks.example.com, not %q", text)
	}
	return nil
}

// A graphQLError is one entry of a response's errors.
type graphQLError struct {
	Message    string `json:"message"`
	Path       []any  `json:"path"` // to the field that failed
	Extensions struct {
		Code      string `json:"code"`
		InputPath []any  `json:"inputPath"` // to the input at fault
	} `json:"extensions"`
}

// Error tells what is wrong, and where.
func (e *graphQLError) Error() string { return e.at(e.place()) }

// at tells what is wrong at a place.
func (e *graphQLError) at(place []any) string {
	where := ""
	if len(place) > 0 {
		where = " at"
		for _, step := range place {
			where += fmt.Sprintf(" %v", step)
		}
	}
	return fmt.Sprintf("the server refused (%s)%s: %s", e.Extensions.Code, where, e.Message)
}

// place returns the way to the input at fault or, without one, to the field that
// failed.
func (e *graphQLError) place() []any {
	if len(e.Extensions.InputPath) > 0 {
		return e.Extensions.InputPath
	}
	return e.Path
}

// element returns the index of the element of a list of inputs that is at fault,
// and the way from there.
func (e *graphQLError) element(list string) (index int, rest []any, ok bool) {
	place := e.place()
	for i, step := range place {
		if step != list || i+1 == len(place) {
			continue
		}
		n, ok := place[i+1].(float64)
		return int(n), place[i+2:], ok
	}
	return 0, nil, false
}

// answerLimit is the most that is read of a response.
const answerLimit = 64 << 20

// post sends one operation and returns the response, whose body the caller
// closes.
func (c *Client) post(
	ctx context.Context, query string, variables any, accept string,
) (*http.Response, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	req.Header.Set("Authorization", "Bearer "+c.key)
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, unreachable(strings.TrimSuffix(c.endpoint, "/graphql"), err)
	}
	return resp, nil
}

// do sends one query or mutation and decodes its data into out. While the server
// asks to retry later, do retries until ctx ends: a mutation must be idempotent.
func (c *Client) do(ctx context.Context, query string, variables, out any) error {
	for {
		resp, err := c.post(ctx, query, variables, "application/graphql-response+json, application/json")
		if err != nil {
			return err
		}
		pause, later := retryAfter(resp)
		if !later {
			defer resp.Body.Close()
			return decodeAnswer(resp.Status, resp.Body, out)
		}
		if c.waits != nil {
			c.waits(resp.Status, pause)
		}
		if err := resp.Body.Close(); err != nil {
			return err
		}
		if !loop.Sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// retryAfter reports whether the server asks to retry later, and after what pause.
func retryAfter(resp *http.Response) (pause time.Duration, later bool) {
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
	default:
		return 0, false
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	const longest = 60
	return time.Duration(min(max(seconds, 1), longest)) * time.Second, err == nil
}

func decodeAnswer(status string, body io.Reader, out any) error {
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []graphQLError  `json:"errors"`
	}
	if err := json.NewDecoder(io.LimitReader(body, answerLimit)).Decode(&answer); err != nil {
		return fmt.Errorf("the server answered %s without a GraphQL response: is the URL right?", status)
	}
	if len(answer.Errors) > 0 {
		return &answer.Errors[0]
	}
	return json.Unmarshal(answer.Data, out)
}
