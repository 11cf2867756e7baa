package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// show prints an item and returns how many entries that were, 0 or 1.
func (c *tailCmd) show(w io.Writer, item TailItem, raw json.RawMessage) int {
	switch {
	case item.Type == "DeliveryLogHeartbeat":
		return 0
	case c.JSON:
		fmt.Fprintln(w, printableJSON(string(raw)))
	case item.Type == "DeliveryLogGap":
		fmt.Fprintf(w, "-- entries since %s are no longer kept --\n", item.MissedSince.Local().Format(tailTime))
	default:
		fmt.Fprintln(w, printable(item.line(c.Organization == "")))
	}
	if item.Type == "DeliveryLogEntry" {
		return 1
	}
	return 0
}

// tailTime has the offset from UTC, for lines that are copied to others.
const tailTime = "2006-01-02T15:04:05.000Z07:00"

// line says in one line what happened, and where if several organizations are
// watched.
func (i TailItem) line(several bool) string {
	about := i.Delivery.Event.Item.Name
	if i.Delivery.Event.WorkspaceName != "" {
		about += " on " + i.Delivery.Event.WorkspaceName
	}
	parts := []string{i.At.Local().Format(tailTime), fmt.Sprintf("%-9s", i.State)}
	if several {
		parts = append(parts, i.Delivery.Event.Organization.Name+":")
	}
	parts = append(parts, i.Delivery.Event.Type.Name, "("+about+")", "->", i.Delivery.Webhook.Name)
	if a := i.Attempt; a != nil {
		result := a.Outcome
		if a.HTTPStatus != 0 {
			result = fmt.Sprintf("%s %d", a.Outcome, a.HTTPStatus)
		}
		parts = append(parts, fmt.Sprintf("[#%d %s in %.1f ms]", a.Number, result, a.DurationMs))
		if a.Error != "" {
			parts = append(parts, a.Error)
		}
	}
	return strings.Join(append(parts, i.Delivery.ID), " ")
}
