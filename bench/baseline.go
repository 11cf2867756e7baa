package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"portalhooks/delivery/loop"
	"portalhooks/delivery/signature"
)

// clients is the concurrency of R: the number of workers of a server.
const clients = 64

// raw measures R: a bare HTTP client that posts signed messages.
func (b *bench) raw(ctx context.Context) (sample, error) {
	secret, err := signature.NewSecret()
	if err != nil {
		return sample{}, err
	}
	client := newHTTP(clients)
	defer client.CloseIdleConnections()
	var posted atomic.Int64
	l := startLoad(ctx, shape{callers: clients, batch: 1}, nil, func(ctx context.Context, _ int) error {
		err := post(ctx, client, b.receiver.hook(1), posted.Add(1), secret)
		return err
	})
	s, err := b.window(ctx, l.sent.Load, engineRole)
	return s, errors.Join(err, l.end())
}

var rawBody = bytes.Repeat([]byte("x"), messageBytes)

func post(ctx context.Context, c *http.Client, url string, number int64, secret signature.Secret) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(rawBody))
	if err != nil {
		return err
	}
	id, now := fmt.Sprintf("msg_%d", number), time.Now()
	req.Header = http.Header{
		"Content-Type":      {"application/json"},
		"Webhook-Id":        {id},
		"Webhook-Timestamp": {signature.Timestamp(now)},
		"Webhook-Signature": {signature.Sign(id, now, rawBody, secret)},
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if err == nil && resp.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("the receiver responded with %s", resp.Status)
	}
	return err
}

// commits measures F: the commits of one connection, one statement each.
func (b *bench) commits(ctx context.Context) (_ sample, err error) {
	d, err := b.databases.create(ctx)
	if err != nil {
		return sample{}, err
	}
	defer func() { err = errors.Join(err, d.drop(ctx)) }()
	if _, err := d.db.ExecContext(ctx, "CREATE TABLE probe (n bigint NOT NULL)"); err != nil {
		return sample{}, err
	}
	l := startLoad(ctx, shape{callers: 1, batch: 1}, nil, func(ctx context.Context, _ int) error {
		_, err := d.db.ExecContext(ctx, "INSERT INTO probe (n) VALUES (1)")
		return err
	})
	s, err := b.window(ctx, l.sent.Load, engineRole, dataRole)
	return s, errors.Join(err, l.end())
}

// A sample is a single measurement of a rate.
type sample struct {
	rate   float64
	cpu    *float64 // seconds per 1,000; nil if unknown
	others *float64
	waits  []float64 // of the callers, in milliseconds
}

// warmUp is the divisor of a measurement's duration that yields its warm-up time.
const warmUp = 5

// window measures the rate of a counter after the load's warm-up and before its end.
func (b *bench) window(ctx context.Context, counter func() int64, roles ...role) (sample, error) {
	return b.windowErr(ctx, func() (int64, error) { return counter(), nil }, roles...)
}

// windowErr is like window, for a counter that may fail.
func (b *bench) windowErr(ctx context.Context, counter func() (int64, error), roles ...role) (sample, error) {
	if !loop.Sleep(ctx, b.o.Duration/warmUp) {
		return sample{}, ctx.Err()
	}
	from := b.procfs.read()
	before, err := counter()
	began := time.Now()
	if err != nil {
		return sample{}, err
	}
	if !loop.Sleep(ctx, b.o.Duration) {
		return sample{}, ctx.Err()
	}
	var after int64
	// On a busy machine the counter may not have changed yet.
	err = until(ctx, time.Millisecond, "the counter has increased", func() (bool, error) {
		after, err = counter()
		return after > before, err
	})
	if err != nil {
		return sample{}, err
	}
	return newSample(float64(after-before), time.Since(began), b.procfs.since(from), roles...), nil
}

func newSample(n float64, took time.Duration, u usage, roles ...role) sample {
	return sample{rate: n / took.Seconds(), cpu: u.perThousand(n, roles...), others: u.share()}
}
