package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
)

const (
	neighbourRef     = "neighbour" // the organization that does its worst
	neighbourCallers = 4
	neighbourRate    = 100 // events per second of the organization that is measured
)

// neighbour measures what one organization notices when another one does its worst:
// it reports operations on many devices, for many webhooks, from several callers at
// once, and none of its receivers responds.
func (b *bench) neighbour(ctx context.Context) (err error) {
	fx, err := b.newFixture(ctx, 1, endpoints)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fx.drop(ctx)) }()
	webhooks := b.o.size(10, 300, 1000)
	e, err := fx.open(ctx, false)
	if err != nil {
		return err
	}
	if err := errors.Join(fx.fillNeighbour(ctx, e.service, b.receiver, webhooks), e.close(ctx)); err != nil {
		return err
	}
	s, err := b.serve(ctx, fx)
	if err != nil {
		return err
	}
	return errors.Join(b.besideNeighbour(ctx, s, webhooks), s.close())
}

// fillNeighbour creates the organization neighbourRef, all of whose webhooks select
// every operation and have the endpoint that hangs as their target.
func (fx *fixture) fillNeighbour(ctx context.Context, s *service.Service, r *receiver, webhooks int) error {
	_, err := s.SyncItems(ctx, portal, service.SyncItemsInput{
		OrganizationID: neighbourRef, OrganizationName: "Neighbour", Kind: delivery.OperationItem,
		Items: []delivery.SyncedItem{{ID: "restart", Name: "Restart", Enabled: true}},
	})
	if err != nil {
		return fmt.Errorf("create the neighbour: %w", err)
	}
	org, err := s.Organization(ctx, delivery.Caller{Name: "bench", Operator: true}, neighbourRef)
	if err != nil {
		return err
	}
	admin := delivery.Caller{Name: "bench", Grants: map[delivery.OrgID]delivery.Role{org.ID: delivery.Admin}}
	concurrency, timeout := 64, 30.0
	for i := range webhooks {
		_, err := s.CreateWebhook(ctx, admin, service.CreateWebhookInput{
			OrganizationID: neighbourRef, Name: fmt.Sprintf("Webhook %d", i),
			Type: delivery.OperationInWorkspace, TargetURL: fmt.Sprintf("%s?%d", r.hook(hangingHook), i),
			Selection: service.SelectionInput{All: true},
			Policy:    &service.PolicyInput{Concurrency: &concurrency, TimeoutSeconds: &timeout},
		})
		if err != nil {
			return fmt.Errorf("create the neighbour's webhooks: %w", err)
		}
	}
	return nil
}

// besideNeighbour measures one organization alone, then beside the other.
func (b *bench) besideNeighbour(ctx context.Context, s *serverProcess, webhooks int) error {
	devices := b.o.size(50, 1000, 1000)
	// The first one warms up: it fills caches and opens connections.
	alone, err := b.neighbourRounds(ctx, s, 1+b.o.Rounds)
	if err != nil {
		return err
	}
	if err := b.receiver.hang(ctx); err != nil {
		return err
	}
	worst, stop := context.WithCancel(ctx)
	var callers sync.WaitGroup
	for range neighbourCallers {
		callers.Go(func() {
			for worst.Err() == nil {
				// What becomes of it is not this measurement's business.
				_, _ = s.post(worst, s.b.restart(devices))
			}
		})
	}
	beside, err := b.neighbourRounds(ctx, s, 1+b.o.Rounds)
	stop()
	callers.Wait()
	if err := errors.Join(err, b.receiver.reset(ctx)); err != nil {
		return err
	}
	acks := median(beside.acks[1:]) - median(alone.acks[1:])
	delays := median(beside.delays[1:]) - median(alone.delays[1:])
	b.report.add(Figure{
		Name: "neighbour", Title: "added p99 beside a greedy organization", Value: max(acks, delays), Unit: "ms",
		Score: max(acks, delays), Rounds: beside.delays[1:],
		Note: fmt.Sprintf("acknowledged %s ms later, delivered %s ms later (p99: %s and %s ms alone) at %d "+
			"events/s; the other organization reports %d devices for %d webhooks that hang, from %d callers.",
			short(acks), short(delays), short(median(alone.acks[1:])), short(median(alone.delays[1:])), neighbourRate,
			devices, webhooks, neighbourCallers),
	})
	return nil
}

// neighbourDelays are 99th percentiles in milliseconds, one for each round.
type neighbourDelays struct{ acks, delays []float64 }

// neighbourRounds submits events of the organization that is measured, at a steady
// rate, and waits for their arrival.
func (b *bench) neighbourRounds(
	ctx context.Context, s *serverProcess, n int,
) (p99 neighbourDelays, err error) {
	for range n {
		began := time.Now().UnixNano()
		acks, err := b.submitAll(ctx, s, steadyLoad{hooks: endpoints, rate: neighbourRate, d: b.o.Duration})
		if err != nil {
			return p99, err
		}
		var delays []float64
		err = until(ctx, 20*time.Millisecond, "the events arrive", func() (bool, error) {
			all, err := b.receiver.arrivals(ctx)
			delays = delays[:0]
			for mark, at := range all {
				if mark >= began {
					delays = append(delays, milliseconds(time.Duration(at-mark)))
				}
			}
			return len(delays) == len(acks), err
		})
		if err != nil {
			return p99, err
		}
		p99.acks = append(p99.acks, percentile(acks, 99))
		p99.delays = append(p99.delays, percentile(delays, 99))
	}
	return p99, nil
}

// restart returns a report of an operation on n devices of the neighbour.
func (b *bench) restart(n int) *bytes.Buffer {
	body := bytes.NewBuffer(make([]byte, 0, 256*n+512))
	at, number := time.Now().UTC(), b.numbers.next()
	now := at.Format(time.RFC3339Nano)
	fmt.Fprintf(body, `{"query":%q,"variables":{"input":[{
		"organizationId": %q, "sourceEventId": %q, "occurredAt": %q,
		"event": {"operation": {"operationId": "restart-%d", "typeId": "restart", "typeName": "Restart",
		"complete": false, "startDate": %q, "workspaces": [`,
		ingestQuery, neighbourRef, sourceID(at, number), now, number, now)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(body, `{"workspace": {"id": "device-%d", "name": "WS-%d"}, "startDate": %q,
			"endDate": %q, "result": "COMPLETED"}`, i, i, now, now)
	}
	body.WriteString("]}}}]}}")
	return body
}
