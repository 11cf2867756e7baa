package ent

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	entsql "entgo.io/ent/dialect/sql"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/gen/webhook"
	"portalhooks/ent/gen/webhookhealth"
	"portalhooks/ent/sqldb"
)

// Health implements [delivery.WebhookStore].
func (s *Store) Health(ctx context.Context, ids []delivery.WebhookID) ([]delivery.WebhookHealth, error) {
	rows, err := inChunks(ids, func(chunk []delivery.WebhookID) ([]*gen.WebhookHealth, error) {
		return s.reader.WebhookHealth.Query().Where(webhookhealth.IDIn(chunk...)).All(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("read the webhooks' health: %w", sqldb.Unavailable(err))
	}
	return convertAll(rows, toHealth), nil
}

// A healthRow is a row of health, in microseconds.
type healthRow struct {
	webhook                   delivery.WebhookID
	success, failure, failing int64
}

// never is later than any failure.
const never = math.MaxInt64

// merge adds what b has shown to a. A webhook has been failing since the
// earliest failure known after the last success.
func (a healthRow) merge(b healthRow) healthRow {
	m := healthRow{
		webhook: a.webhook,
		success: max(a.success, b.success),
		failure: max(a.failure, b.failure),
		failing: never,
	}
	for _, failed := range []int64{a.failing, a.failure, b.failing, b.failure} {
		if failed > m.success {
			m.failing = min(m.failing, failed)
		}
	}
	if m.failing == never {
		m.failing = 0
	}
	return m
}

// mergeOnConflict is merge as the upsert does it, between the stored row and the
// new one.
func mergeOnConflict(db sqldb.Database) entsql.ConflictOption {
	greatest, least := db.Extremes()
	stored := func(column string) string { return webhookhealth.Table + "." + column }
	added := func(column string) string { return "excluded." + column }
	latest := func(column string) string { return greatest + "(" + stored(column) + ", " + added(column) + ")" }
	success := latest(webhookhealth.FieldLastSuccessAt)

	var failures []string
	for _, column := range []string{webhookhealth.FieldFailingSince, webhookhealth.FieldLastFailureAt} {
		for _, failed := range []string{stored(column), added(column)} {
			failures = append(failures, fmt.Sprintf("CASE WHEN %s > %s THEN %s ELSE %d END",
				failed, success, failed, int64(never)))
		}
	}
	failing := "COALESCE(NULLIF(" + least + "(" + strings.Join(failures, ", ") + "), " +
		strconv.FormatInt(never, 10) + "), 0)"
	return entsql.ResolveWith(func(u *entsql.UpdateSet) {
		u.Set(webhookhealth.FieldLastSuccessAt, entsql.Raw(success))
		u.Set(webhookhealth.FieldLastFailureAt, entsql.Raw(latest(webhookhealth.FieldLastFailureAt)))
		u.Set(webhookhealth.FieldFailingSince, entsql.Raw(failing))
	})
}

// RecordHealth implements [delivery.WebhookStore].
func (s *Store) RecordHealth(ctx context.Context, h []delivery.WebhookHealth) error {
	byWebhook := make(map[delivery.WebhookID]healthRow, len(h))
	for _, one := range h {
		p := healthRow{
			webhook: one.Webhook,
			success: sqldb.Micros(one.LastSuccessAt), failure: sqldb.Micros(one.LastFailureAt),
		}
		byWebhook[one.Webhook] = p.merge(byWebhook[one.Webhook])
	}
	pulses := make([]healthRow, 0, len(byWebhook))
	for _, p := range byWebhook {
		pulses = append(pulses, p)
	}
	slices.SortFunc(pulses, func(a, b healthRow) int { return cmp.Compare(a.webhook, b.webhook) })

	for chunk := range slices.Chunk(pulses, chunkSize) {
		if err := s.inTx(ctx, func(tx *gen.Tx) error { return s.recordHealth(ctx, tx, chunk) }); err != nil {
			return fmt.Errorf("record the webhooks' health: %w", sqldb.Unavailable(err))
		}
	}
	return nil
}

func (s *Store) recordHealth(ctx context.Context, tx *gen.Tx, pulses []healthRow) error {
	rows := convertAll(pulses, func(p healthRow) *gen.WebhookHealthCreate {
		return tx.WebhookHealth.Create().
			SetID(p.webhook).
			SetLastSuccessAt(p.success).
			SetLastFailureAt(p.failure).
			SetFailingSince(p.failing)
	})
	return tx.WebhookHealth.CreateBulk(rows...).
		OnConflict(entsql.ConflictColumns(webhookhealth.FieldID), mergeOnConflict(s.db)).
		Exec(ctx)
}

// FailingWebhooks implements [delivery.WebhookStore].
func (s *Store) FailingWebhooks(ctx context.Context, t time.Time) ([]delivery.Webhook, error) {
	rows, err := s.reader.Webhook.Query().
		Where(webhook.StatusEQ(delivery.Enabled), webhook.DeletedAt(0), failingSinceBefore(t)).
		Order(gen.Asc(webhook.FieldID)).
		All(ctx)
	if err != nil {
		return nil, fmt.Errorf("find failing webhooks: %w", sqldb.Unavailable(err))
	}
	return withVersions(ctx, s.reader.WebhookVersion.Query, rows)
}

// NoticeFailing implements [delivery.WebhookStore].
func (s *Store) NoticeFailing(
	ctx context.Context, org delivery.OrgID, id delivery.WebhookID, since, at time.Time,
	entry delivery.AuditEntry,
) (noticed bool, err error) {
	err = s.inTx(ctx, func(tx *gen.Tx) error {
		noticed = false
		enabled, err := tx.Webhook.Query().
			Where(
				webhook.ID(id), webhook.OrganizationID(org),
				webhook.StatusEQ(delivery.Enabled), webhook.DeletedAt(0),
			).
			Exist(ctx)
		if err != nil || !enabled {
			return err
		}
		n, err := tx.WebhookHealth.Update().
			Where(
				webhookhealth.ID(id), webhookhealth.NoticedAtLT(sqldb.Micros(since)),
				webhookhealth.FailingSinceGT(0), webhookhealth.FailingSinceLTE(sqldb.Micros(since)),
			).
			SetNoticedAt(sqldb.Micros(at)).
			Save(ctx)
		if err != nil || n == 0 {
			return err
		}
		noticed = true
		return record(ctx, tx.AuditEntry, entry)
	})
	if err != nil {
		return false, fmt.Errorf("notice a failing webhook: %w", sqldb.Unavailable(err))
	}
	return noticed, nil
}

func failingSinceBefore(t time.Time) func(*entsql.Selector) {
	return func(s *entsql.Selector) {
		health := entsql.Table(webhookhealth.Table)
		s.Where(entsql.In(s.C(webhook.FieldID), entsql.Dialect(s.Dialect()).
			Select(health.C(webhookhealth.FieldID)).
			From(health).
			Where(entsql.And(
				entsql.GT(health.C(webhookhealth.FieldFailingSince), 0),
				entsql.LT(health.C(webhookhealth.FieldFailingSince), sqldb.Micros(t)),
			))))
	}
}
