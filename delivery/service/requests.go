package service

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/pipeline"
	"portalhooks/delivery/signature"
)

// A RequestPreview is the call of a delivery as it may be shown: secrets are
// masked, and what differs from attempt to attempt is a placeholder.
type RequestPreview struct {
	Method  string
	URL     string
	Headers []delivery.Header
	Curl    string // a command for a POSIX shell that makes the call
}

// Requests returns the call that each delivery's next attempt would make, nil
// where the caller may not see the delivery.
func (s *Service) Requests(
	ctx context.Context, c delivery.Caller, deliveries []*delivery.Delivery,
) ([]*RequestPreview, error) {
	webhooks, err := s.webhooksOf(ctx, c, deliveries)
	if err != nil {
		return nil, err
	}
	messages, err := s.Messages(ctx, c, deliveries)
	if err != nil {
		return nil, err
	}
	previews := make([]*RequestPreview, len(deliveries))
	for i, d := range deliveries {
		if !canSee(c, d) || webhooks[d.Webhook] == nil {
			continue
		}
		v := &webhooks[d.Webhook].Version
		headers := s.shownHeaders(v, d.ID, "<attempt>", "<unix seconds>")
		previews[i] = preview(s.TargetURL(c, d.Org, v), headers, messages[i])
	}
	return previews, nil
}

// AttemptHeaders returns the request headers of the attempt that each entry
// records, as they may be shown; nil where there was no attempt or the caller
// may not see it. They are made again from what the webhook was at the time.
func (s *Service) AttemptHeaders(
	ctx context.Context, c delivery.Caller, entries []*delivery.LogEntry,
) ([][]delivery.Header, error) {
	deliveries := make([]*delivery.Delivery, len(entries))
	for i, e := range entries {
		if e != nil && e.Attempt != nil {
			deliveries[i] = &e.Delivery
		}
	}
	webhooks, err := s.webhooksOf(ctx, c, deliveries)
	if err != nil {
		return nil, err
	}
	older := make(map[delivery.WebhookID][]delivery.WebhookVersion)
	headers := make([][]delivery.Header, len(entries))
	for i, e := range entries {
		d := deliveries[i]
		if !canSee(c, d) || webhooks[d.Webhook] == nil {
			continue
		}
		a := e.Attempt
		v, err := s.versionAt(ctx, webhooks[d.Webhook], a.StartedAt, older)
		if err != nil {
			return nil, err
		}
		headers[i] = s.shownHeaders(v, d.ID, strconv.Itoa(a.Number), signature.Timestamp(a.StartedAt))
	}
	return headers, nil
}

// webhooksOf returns the webhooks of the deliveries that the caller may see.
func (s *Service) webhooksOf(
	ctx context.Context, c delivery.Caller, deliveries []*delivery.Delivery,
) (map[delivery.WebhookID]*delivery.Webhook, error) {
	ids := distinctOf(deliveries, func(d *delivery.Delivery) (delivery.WebhookID, bool) {
		if !canSee(c, d) {
			return 0, false
		}
		return d.Webhook, true
	})
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := s.store.WebhooksByID(ctx, orgOf(deliveries), ids)
	if err != nil {
		return nil, fmt.Errorf("find webhooks: %w", err)
	}
	webhooks := make(map[delivery.WebhookID]*delivery.Webhook, len(found))
	for i := range found {
		webhooks[found[i].ID] = &found[i]
	}
	return webhooks, nil
}

// versionAt returns what w was at a time, as far as its latest versions reach
// back. older keeps the versions of webhooks that were read.
func (s *Service) versionAt(
	ctx context.Context,
	w *delivery.Webhook,
	at time.Time,
	older map[delivery.WebhookID][]delivery.WebhookVersion,
) (*delivery.WebhookVersion, error) {
	if !at.Before(w.Version.CreatedAt) {
		return &w.Version, nil
	}
	versions, ok := older[w.ID]
	if !ok {
		slice, err := s.store.Versions(ctx, w.Org, w.ID, delivery.Page{First: delivery.MaxPageSize})
		if err != nil {
			return nil, fmt.Errorf("find the versions of a webhook: %w", err)
		}
		versions = slice.Items
		older[w.ID] = versions
	}
	if i := slices.IndexFunc(versions,
		func(v delivery.WebhookVersion) bool { return !at.Before(v.CreatedAt) }); i >= 0 {
		return &versions[i], nil
	}
	if len(versions) > 0 {
		return &versions[len(versions)-1], nil
	}
	return &w.Version, nil
}

// shownHeaders returns the headers of a call as requestHeader makes them, with
// secrets masked.
func (s *Service) shownHeaders(
	v *delivery.WebhookVersion, id delivery.DeliveryID, attempt, timestamp string,
) []delivery.Header {
	return s.framed(v.MaskedHeaders(), id, attempt, timestamp)
}

// framed adds to a webhook's own headers the headers of every call.
func (s *Service) framed(
	own []delivery.Header, id delivery.DeliveryID, attempt, timestamp string,
) []delivery.Header {
	headers := []delivery.Header{{Name: "User-Agent", Value: s.pipeline.Sender.UserAgent}}
	typed, named := false, false
	for _, h := range own {
		typed = typed || strings.EqualFold(h.Name, "Content-Type")
		named = named || strings.EqualFold(h.Name, "User-Agent")
	}
	if named {
		headers = nil
	}
	if !typed {
		headers = append(headers, delivery.Header{Name: "Content-Type", Value: pipeline.ContentType})
	}
	headers = append(headers, own...)
	return append(headers,
		delivery.Header{Name: signature.HeaderID, Value: id.String()},
		delivery.Header{Name: signature.HeaderTimestamp, Value: timestamp},
		delivery.Header{Name: signature.HeaderSignature, Value: delivery.Mask, Secret: true},
		delivery.Header{Name: signature.HeaderAttempt, Value: attempt},
	)
}

// preview puts a call together, also as a command.
func preview(url string, headers []delivery.Header, message string) *RequestPreview {
	var b strings.Builder
	b.WriteString("curl -X POST " + quoted(url))
	for _, h := range headers {
		b.WriteString(" \\\n  -H " + quoted(h.Name+": "+h.Value))
	}
	b.WriteString(" \\\n  --data-binary " + quoted(message))
	return &RequestPreview{Method: "POST", URL: url, Headers: headers, Curl: b.String()}
}

// quoted returns text as one word of a POSIX shell, whatever is in it.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
