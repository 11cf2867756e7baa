package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"portalhooks/app"
)

// ingestCmd submits events to a running server.
type ingestCmd struct {
	serverFlags
	File  string `arg:"" help:"File with one PortalEventInput as JSON per line; - for standard input."`
	Quiet bool   `help:"Print only rejected events." short:"q"`
}

// The bounds of a batch, the lines that are sent in one request.
const (
	batchLines = 100
	batchBytes = 4 << 20
	lineBytes  = 8 << 20 // an operation on 20,000 devices is 5.4 MB
)

// Run submits the events in the file and prints the result of each.
func (c *ingestCmd) Run(ctx context.Context, t terminal) error {
	server, err := c.connect(func(l app.LocalCredentials) string { return l.Portal })
	if err != nil {
		return err
	}
	server.waits = func(status string, pause time.Duration) {
		fmt.Fprintf(t.err, "The server answered %s; retrying in %s.\n", status, pause)
	}
	file := os.Stdin
	if c.File != "-" {
		if file, err = os.Open(c.File); err != nil {
			return err
		}
		defer file.Close()
	}
	rejected, err := submit(ctx, server, file, c.printer(t.out))
	if err != nil {
		return err
	}
	if rejected > 0 {
		return fmt.Errorf("%s rejected; correct the file and send it again: accepted events are not stored twice",
			count(rejected, "event was", "events were"))
	}
	return nil
}

// An eventLine is a line of the file.
type eventLine struct {
	number int
	json   json.RawMessage
}

// An ingestResult is the server's result for one report.
type ingestResult struct {
	SourceEventID string      `json:"sourceEventId"`
	Status        string      `json:"status"`
	EventIDs      []string    `json:"eventIds"`
	Deliveries    int         `json:"deliveries"`
	UserErrors    []userError `json:"userErrors"`
	Warnings      []userError `json:"warnings"`
}

// A userError is an error or a warning about one field.
type userError struct {
	Code    string `json:"code"`
	Field   string `json:"field"`
	Message string `json:"message"`
}

// submit sends all lines in batches and calls done for each. It returns how many
// reports were rejected.
func submit(
	ctx context.Context, server *Client, r io.Reader, done func(eventLine, ingestResult),
) (rejected int, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), lineBytes)
	var batch []eventLine
	size := 0
	flush := func() error {
		n, err := submitBatch(ctx, server, batch, done)
		batch, size, rejected = batch[:0], 0, rejected+n
		return err
	}
	for number := 1; lines.Scan(); number++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		if !json.Valid(text) {
			if err := flush(); err != nil {
				return rejected, fmt.Errorf("%w\nline %d is not JSON; nothing from there on was sent", err, number)
			}
			return rejected, fmt.Errorf("line %d is not JSON; the lines before it were sent, none after it", number)
		}
		if len(batch) == batchLines || (size > 0 && size+len(text) > batchBytes) {
			if err := flush(); err != nil {
				return rejected, err
			}
		}
		batch = append(batch, eventLine{number, bytes.Clone(text)})
		size += len(text)
	}
	if err := lines.Err(); err != nil {
		return rejected, errors.Join(flush(), fmt.Errorf("read the events: %w", err))
	}
	return rejected, flush()
}

const ingestMutation = `mutation Ingest($input: [PortalEventInput!]!) {
  ingestEvents(input: $input) {
    results { sourceEventId status eventIds deliveries userErrors { code field message }
      warnings { code field message } }
    userErrors { code field message }
  }
}`

func submitBatch(
	ctx context.Context, server *Client, batch []eventLine, done func(eventLine, ingestResult),
) (rejected int, err error) {
	if len(batch) == 0 {
		return 0, nil
	}
	input := make([]json.RawMessage, len(batch))
	for i, line := range batch {
		input[i] = line.json
	}
	var answer struct {
		IngestEvents struct {
			Results    []ingestResult `json:"results"`
			UserErrors []userError    `json:"userErrors"`
		} `json:"ingestEvents"`
	}
	if err := server.do(ctx, ingestMutation, map[string]any{"input": input}, &answer); err != nil {
		return 0, atLines(batch, err)
	}
	if problems := answer.IngestEvents.UserErrors; len(problems) > 0 {
		return 0, errors.New(problems[0].Message)
	}
	for i, result := range answer.IngestEvents.Results {
		if result.Status == "REJECTED" {
			rejected++
		}
		done(batch[i], result)
	}
	return rejected, nil
}

// atLines says of which lines of a batch the server told an error.
func atLines(batch []eventLine, err error) error {
	refused, ok := errors.AsType[*graphQLError](err)
	if !ok {
		return fmt.Errorf("%s: %w", linesOf(batch), err)
	}
	i, place, ok := refused.element("input")
	if !ok || i >= len(batch) {
		return fmt.Errorf("%s: %w", linesOf(batch), err)
	}
	what := fmt.Sprintf("line %d: %s", batch[i].number, refused.at(place))
	if len(batch) > 1 {
		what += "; " + linesOf(batch) + " were refused together"
	}
	return errors.New(what)
}

// linesOf names the lines of a batch.
func linesOf(batch []eventLine) string {
	first, last := batch[0].number, batch[len(batch)-1].number
	if first == last {
		return fmt.Sprintf("line %d", first)
	}
	return fmt.Sprintf("lines %d to %d", first, last)
}

// printer returns a function that prints a line for each event.
func (c *ingestCmd) printer(w io.Writer) func(eventLine, ingestResult) {
	return func(line eventLine, r ingestResult) {
		if c.Quiet && r.Status != "REJECTED" {
			return
		}
		fmt.Fprintf(w, "line %d: %s %s, %s, %s\n", line.number, printable(r.SourceEventID), r.Status,
			count(len(r.EventIDs), "event", "events"), count(r.Deliveries, "delivery", "deliveries"))
		for _, e := range slices.Concat(r.UserErrors, r.Warnings) {
			fmt.Fprintf(w, "  %s: %s\n", strings.TrimSpace(e.Code+" "+e.Field), printable(e.Message))
		}
	}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
