package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"portalhooks/app"
	"portalhooks/delivery/loop"
)

// tailCmd prints the delivery log to the terminal as it grows.
type tailCmd struct {
	serverFlags
	Organization string   `help:"Organization whose deliveries to follow, by its id or by its id in Portal. Default: all that the key may read." placeholder:"ID"`
	After        string   `help:"Resume after this cursor instead of starting now." placeholder:"CURSOR"`
	State        []string `help:"Show only entries with these states, such as FAILED,RETRYING." placeholder:"STATE"`
	Webhook      []string `help:"Show only deliveries of these webhooks, by their ids." placeholder:"ID"`
	EventType    []string `help:"Show only deliveries of events of these types, such as ACTIVE_ALERT." placeholder:"TYPE"`
	Outcome      []string `help:"Show only entries whose attempt had these outcomes, such as TIMEOUT,HTTP_ERROR." placeholder:"OUTCOME"`
	Device       string   `help:"Show only deliveries of events on this device, by its id in Portal." placeholder:"ID"`
	Text         string   `help:"Show only deliveries with this text in the name of the item, or in the name or id of the device." placeholder:"TEXT"`
	Count        int      `help:"Stop after this number of entries." placeholder:"N"`
	JSON         bool     `name:"json" help:"Print one JSON object per line, with its cursor."`
}

const tailSubscription = `subscription Tail($organizationId: ID, $after: Cursor, $filter: DeliveryFilter) {
  deliveryLog(organizationId: $organizationId, after: $after, filter: $filter) {
    __typename
    ... on DeliveryLogEntry {
      cursor at state replayed
      delivery {
        id trigger attemptCount nextAttemptAt
        webhook { id name }
        event { id organization { id name } type { name } item { name } workspaceName }
      }
      attempt { number outcome httpStatus durationMs error }
    }
    ... on DeliveryLogGap { cursor missedSince }
    ... on DeliveryLogHeartbeat { cursor at }
  }
}`

// A TailItem is one item of the delivery log.
type TailItem struct {
	Type        string    `json:"__typename"`
	Cursor      string    `json:"cursor"`
	At          time.Time `json:"at"`
	State       string    `json:"state"`
	MissedSince time.Time `json:"missedSince"`
	Delivery    struct {
		ID      string `json:"id"`
		Webhook struct {
			Name string `json:"name"`
		} `json:"webhook"`
		Event struct {
			Organization struct {
				Name string `json:"name"`
			} `json:"organization"`
			Type struct {
				Name string `json:"name"`
			} `json:"type"`
			Item struct {
				Name string `json:"name"`
			} `json:"item"`
			WorkspaceName string `json:"workspaceName"`
		} `json:"event"`
	} `json:"delivery"`
	Attempt *struct {
		Number     int     `json:"number"`
		Outcome    string  `json:"outcome"`
		HTTPStatus int     `json:"httpStatus"`
		DurationMs float64 `json:"durationMs"`
		Error      string  `json:"error"`
	} `json:"attempt"`
}

// errTailDone ends the tail after Count entries.
var errTailDone = errors.New("all entries were shown")

// Run prints entries until ctx ends or Count is reached. After a lost connection
// it resumes from the last cursor, so no entry is missed.
func (c *tailCmd) Run(ctx context.Context, t terminal) error {
	server, err := c.connect(func(l app.LocalCredentials) string { return l.Operator })
	if err != nil {
		return err
	}
	cursor, shown := c.After, 0
	// Jitter keeps clients from reconnecting all at once.
	pause := loop.Backoff{Min: 250 * time.Millisecond, Max: 10 * time.Second, Jitter: 0.5}
	for {
		err := server.Follow(
			ctx,
			Subscription{c.Organization, cursor, c.filter()},
			func() { fmt.Fprintln(t.err, "Watching. Stop with Ctrl+C.") },
			func(item TailItem, raw json.RawMessage) error {
				cursor = item.Cursor
				pause.Reset()
				shown += c.show(t.out, item, raw)
				if c.Count > 0 && shown >= c.Count {
					return errTailDone
				}
				return nil
			},
		)
		var refused *refusal
		switch {
		case errors.Is(err, errTailDone):
			return nil
		case ctx.Err() != nil:
			if cursor != "" {
				fmt.Fprintf(t.err, "Resume from here with: --after %s\n", cursor)
			}
			return nil
		case errors.As(err, &refused):
			return err
		}
		fmt.Fprintf(t.err, "Lost the connection: %s. Retrying.\n", printable(err.Error()))
		pause.Sleep(ctx) // when ctx ends the next round does
	}
}

// A refusal is an answer of the server that a retry won't change.
type refusal struct{ error }

// A Subscription selects the entries of the delivery log to follow.
type Subscription struct {
	Organization string // its id or its id in Portal; all that the key may read if empty
	After        string // a cursor; from now on if empty
	Filter       Filter
}

// A Filter selects entries of the delivery log. Empty fields select all.
type Filter struct {
	States      []string `json:"states,omitempty"` // of the entries
	WebhookIDs  []string `json:"webhookIds,omitempty"`
	EventTypes  []string `json:"eventTypes,omitempty"`
	Outcomes    []string `json:"outcomes,omitempty"`
	WorkspaceID string   `json:"workspaceId,omitempty"`
	Text        string   `json:"text,omitempty"`
}

func (c *tailCmd) filter() Filter {
	return Filter{
		States: c.State, WebhookIDs: c.Webhook, EventTypes: c.EventType, Outcomes: c.Outcome,
		WorkspaceID: c.Device, Text: c.Text,
	}
}

// Follow subscribes once and hands every item to each, until the stream ends.
// It calls opened as soon as no entry can be missed.
func (c *Client) Follow(
	ctx context.Context, s Subscription, opened func(), each func(TailItem, json.RawMessage) error,
) error {
	variables := map[string]any{"filter": s.Filter}
	if s.Organization != "" {
		variables["organizationId"] = s.Organization
	}
	if s.After != "" {
		variables["after"] = s.After
	}
	resp, err := c.post(ctx, tailSubscription, variables, "text/event-stream")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err := decodeAnswer(resp.Status, resp.Body, &struct{}{})
		if resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
			return &refusal{err}
		}
		return err
	}
	open := s.After != ""
	if open {
		opened()
	}
	return readEvents(resp.Body, func(item TailItem, raw json.RawMessage) error {
		if !open {
			open = true // from the cursor of this first item on, nothing is missed
			opened()
		}
		return each(item, raw)
	})
}

// readEvents reads server-sent events whose data is a GraphQL result.
func readEvents(r io.Reader, each func(TailItem, json.RawMessage) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 4<<20)
	event := ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			event = value
		case "data":
			if event != "next" {
				continue
			}
			if err := readResult(value, each); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

func readResult(text string, each func(TailItem, json.RawMessage) error) error {
	var result struct {
		Data struct {
			DeliveryLog json.RawMessage `json:"deliveryLog"`
		} `json:"data"`
		Errors []graphQLError `json:"errors"`
	}
	if err := json.Unmarshal([]byte(text), &result); err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	if len(result.Errors) > 0 {
		err := fmt.Errorf("%s (%s)", result.Errors[0].Message, result.Errors[0].Extensions.Code)
		switch result.Errors[0].Extensions.Code {
		case "INTERNAL", "UNAVAILABLE":
			return err
		}
		return &refusal{err}
	}
	var item TailItem
	if err := json.Unmarshal(result.Data.DeliveryLog, &item); err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	return each(item, result.Data.DeliveryLog)
}
