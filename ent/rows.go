package ent

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/sqldb"
)

func toOrganization(r *gen.Organization) delivery.Organization {
	return delivery.Organization{
		ID:            r.ID,
		ExternalID:    r.ExternalID,
		Name:          r.Name,
		CreatedAt:     sqldb.TimeOf(r.CreatedAt),
		ConfigVersion: r.ConfigVersion,
	}
}

func toItem(r *gen.Item) delivery.Item {
	return delivery.Item{
		ID:         r.ID,
		Org:        r.OrganizationID,
		Kind:       r.Kind,
		ExternalID: r.ExternalID,
		Name:       r.Name,
		Enabled:    r.Enabled,
		Missing:    r.Missing,
		ViewURL:    r.ViewURL,
		Attributes: json.RawMessage(r.Attributes),
		UpdatedAt:  sqldb.TimeOf(r.UpdatedAt),
	}
}

// toWebhook joins a webhook with its current version. Whether that has ended
// is taken from the webhook: a version that was read a moment later may have
// been replaced meanwhile.
func toWebhook(r *gen.Webhook, current *gen.WebhookVersion) (delivery.Webhook, error) {
	secrets, err := fromSecrets(r.Secrets)
	if err != nil {
		return delivery.Webhook{}, fmt.Errorf("secrets of %s: %w", r.ID, err)
	}
	v, err := toVersion(current)
	if err != nil {
		return delivery.Webhook{}, err
	}
	v.EndedAt, v.Deleted = sqldb.TimeOf(r.DeletedAt), r.DeletedAt != 0
	return delivery.Webhook{
		ID:             r.ID,
		Org:            r.OrganizationID,
		Name:           r.Name,
		Status:         r.Status,
		DisabledReason: r.DisabledReason,
		DisabledAt:     sqldb.TimeOf(r.DisabledAt),
		Holding:        r.Holding,
		CancelBefore:   r.CancelBefore,
		Secrets:        secrets,
		Version:        v,
		CreatedAt:      sqldb.TimeOf(r.CreatedAt),
		CreatedBy:      r.CreatedBy,
		UpdatedAt:      sqldb.TimeOf(r.UpdatedAt),
		UpdatedBy:      r.UpdatedBy,
	}, nil
}

func toVersion(r *gen.WebhookVersion) (delivery.WebhookVersion, error) {
	v := delivery.WebhookVersion{
		ID:          r.ID,
		Org:         r.OrganizationID,
		Webhook:     r.WebhookID,
		Number:      r.Number,
		Name:        r.Name,
		Type:        r.EventType,
		Target:      r.Target,
		Sealed:      r.SealedTarget,
		Template:    r.Template,
		Listening:   r.Listening,
		Fingerprint: r.Fingerprint,
		CreatedAt:   sqldb.TimeOf(r.CreatedAt),
		CreatedBy:   r.CreatedBy,
		EndedAt:     sqldb.TimeOf(r.EndedAt),
		Deleted:     r.Deleted,
	}
	var err error
	if v.Selection, err = fromSelection(r.Selection); err != nil {
		return v, fmt.Errorf("selection of %s: %w", r.ID, err)
	}
	if v.Headers, err = fromHeaders(r.Headers); err != nil {
		return v, fmt.Errorf("headers of %s: %w", r.ID, err)
	}
	if v.Policy, err = fromPolicy(r.Policy); err != nil {
		return v, fmt.Errorf("policy of %s: %w", r.ID, err)
	}
	return v, nil
}

func toHealth(r *gen.WebhookHealth) delivery.WebhookHealth {
	return delivery.WebhookHealth{
		Webhook:       r.ID,
		LastSuccessAt: sqldb.TimeOf(r.LastSuccessAt),
		LastFailureAt: sqldb.TimeOf(r.LastFailureAt),
		FailingSince:  sqldb.TimeOf(r.FailingSince),
		NoticedAt:     sqldb.TimeOf(r.NoticedAt),
	}
}

func toKey(r *gen.APIKey) delivery.APIKey {
	return delivery.APIKey{
		ID:         r.ID,
		Prefix:     r.Prefix,
		Hash:       r.Hash,
		Name:       r.Name,
		Role:       r.Role,
		Org:        r.OrganizationID,
		CreatedAt:  sqldb.TimeOf(r.CreatedAt),
		CreatedBy:  r.CreatedBy,
		Maker:      r.Maker,
		Local:      r.Local,
		ExpiresAt:  sqldb.TimeOf(r.ExpiresAt),
		RevokedAt:  sqldb.TimeOf(r.RevokedAt),
		LastUsedAt: sqldb.TimeOf(r.LastUsedAt),
	}
}

func toSession(r *gen.Session) (delivery.Session, error) {
	claims := map[string][]string{}
	if err := json.Unmarshal([]byte(r.Claims), &claims); err != nil {
		return delivery.Session{}, fmt.Errorf("claims of a session: %w", err)
	}
	return delivery.Session{
		ID: r.ID, Person: r.Person, Name: r.Name, Claims: claims,
		CreatedAt: sqldb.TimeOf(r.CreatedAt), EndsAt: sqldb.TimeOf(r.EndsAt), SeenAt: sqldb.TimeOf(r.SeenAt),
	}, nil
}

// allItems is the selection of everything. Other selections are ids between
// commas, so that one item's webhooks can be found by a pattern.
const allItems = "*"

func selectionText(s delivery.Selection) string {
	if s.All {
		return allItems
	}
	var b strings.Builder
	b.WriteByte(',')
	for _, id := range s.Items {
		b.WriteString(strconv.FormatInt(int64(id), 10))
		b.WriteByte(',')
	}
	return b.String()
}

// selectedPattern finds item in the text of a selection.
func selectedPattern(item delivery.ItemID) string {
	return "," + strconv.FormatInt(int64(item), 10) + ","
}

func fromSelection(text string) (delivery.Selection, error) {
	if text == allItems {
		return delivery.Selection{All: true}, nil
	}
	var s delivery.Selection
	for part := range strings.SplitSeq(strings.Trim(text, ","), ",") {
		if part == "" {
			continue
		}
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return s, err
		}
		s.Items = append(s.Items, delivery.ItemID(id))
	}
	return s, nil
}

// The rows that are kept as JSON. Their names are part of the tables' format.
type (
	secretRow struct {
		Sealed    []byte `json:"sealed"`
		Hint      string `json:"hint"`
		CreatedAt int64  `json:"createdAt"`
		ExpiresAt int64  `json:"expiresAt,omitempty"`
	}
	headerRow struct {
		Name   string `json:"name"`
		Value  string `json:"value,omitempty"`
		Sealed []byte `json:"sealed,omitempty"`
	}
	policyRow struct {
		Timeout  time.Duration   `json:"timeout,omitempty"` // nanoseconds
		Retry    []time.Duration `json:"retry"`             // null for the default, [] for none
		Stop4xx  bool            `json:"stop4xx,omitempty"`
		TimeZone string          `json:"timeZone,omitempty"`
		Parallel int             `json:"parallel,omitempty"`
		Rate     int             `json:"rate,omitempty"` // per minute
		Ordered  bool            `json:"ordered,omitempty"`
	}
)

// encode writes a row of the above, none of which can fail to be written.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return string(b)
}

func secretsText(secrets []delivery.SealedSecret) string {
	return encode(convertAll(secrets, func(s delivery.SealedSecret) secretRow {
		return secretRow{s.Sealed, s.Hint, sqldb.Micros(s.CreatedAt), sqldb.Micros(s.ExpiresAt)}
	}))
}

func fromSecrets(text string) ([]delivery.SealedSecret, error) {
	var rows []secretRow
	if err := json.Unmarshal([]byte(text), &rows); err != nil || len(rows) == 0 {
		return nil, err
	}
	return convertAll(rows, func(r secretRow) delivery.SealedSecret {
		return delivery.SealedSecret{
			Sealed: r.Sealed, Hint: r.Hint, CreatedAt: sqldb.TimeOf(r.CreatedAt), ExpiresAt: sqldb.TimeOf(r.ExpiresAt),
		}
	}), nil
}

func storedHeadersText(headers []delivery.StoredHeader) string {
	return encode(convertAll(headers, func(h delivery.StoredHeader) headerRow { return headerRow(h) }))
}

func fromHeaders(text string) ([]delivery.StoredHeader, error) {
	var rows []headerRow
	if err := json.Unmarshal([]byte(text), &rows); err != nil || len(rows) == 0 {
		return nil, err
	}
	return convertAll(rows, func(r headerRow) delivery.StoredHeader { return delivery.StoredHeader(r) }), nil
}

func policyText(p delivery.Policy) string {
	return encode(policyRow{
		p.Timeout, p.Retry, p.Stop4xx, p.TimeZone, p.Concurrency, p.PerMinute, p.Ordered,
	})
}

func fromPolicy(text string) (delivery.Policy, error) {
	var r policyRow
	err := json.Unmarshal([]byte(text), &r)
	return delivery.Policy{
		Timeout: r.Timeout, Retry: r.Retry, Stop4xx: r.Stop4xx, TimeZone: r.TimeZone,
		Concurrency: r.Parallel, PerMinute: r.Rate, Ordered: r.Ordered,
	}, err
}
