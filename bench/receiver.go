package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// SinkCommand is the command of the program that runs ServeSink.
const SinkCommand = "bench-sink"

// A receiver is a sink in a separate process.
type receiver struct {
	*process

	url  string
	http *http.Client
}

var sinkListens = regexp.MustCompile(`^sink on (\S+)$`)

func startReceiver(ctx context.Context, program, dir string) (*receiver, error) {
	c, url, err := spawn(ctx, program, dir, nil, sinkListens, SinkCommand)
	if err != nil {
		return nil, err
	}
	return &receiver{process: c, url: url, http: newHTTP(1)}, nil
}

// hook returns the URL of an endpoint.
func (r *receiver) hook(n int) string { return r.url + "/hook/" + strconv.Itoa(n) }

// count returns the number of calls received.
func (r *receiver) count(ctx context.Context) (int64, error) {
	body, err := call(ctx, r.http, http.MethodGet, r.url+"/count")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(body), 10, 64)
}

// arrivals returns the time of the first arrival of each marked message, by mark.
func (r *receiver) arrivals(ctx context.Context) (map[int64]int64, error) {
	body, err := call(ctx, r.http, http.MethodGet, r.url+"/arrivals")
	if err != nil {
		return nil, err
	}
	var all []arrival
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	byMark := make(map[int64]int64, len(all))
	for _, a := range all {
		byMark[a.Mark] = a.At
	}
	return byMark, nil
}

// delays returns the delay of each marked message in milliseconds.
func (r *receiver) delays(ctx context.Context) ([]float64, error) {
	all, err := r.arrivals(ctx)
	delays := make([]float64, 0, len(all))
	for mark, at := range all {
		delays = append(delays, milliseconds(time.Duration(at-mark)))
	}
	return delays, err
}

// hang makes the endpoint hangingHook hang until the next reset.
func (r *receiver) hang(ctx context.Context) error {
	_, err := call(ctx, r.http, http.MethodPost, r.url+"/hang")
	return err
}

// reset clears the arrivals and releases hanging calls.
func (r *receiver) reset(ctx context.Context) error {
	_, err := call(ctx, r.http, http.MethodPost, r.url+"/reset")
	return err
}

func (r *receiver) close() error {
	r.http.CloseIdleConnections()
	return r.stop()
}

// requestTimeout is the timeout of a request.
const requestTimeout = 30 * time.Second

// newHTTP returns a client that keeps up to n idle connections.
func newHTTP(n int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{MaxIdleConns: n, MaxIdleConnsPerHost: n, DisableCompression: true},
		Timeout:   requestTimeout,
	}
}

// call sends a request without a body and returns the body of the response.
func call(ctx context.Context, c *http.Client, method, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if err == nil && resp.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s responded with %s: %.200s", url, resp.Status, body)
	}
	return body, err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
