package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
)

const (
	neighbourRef  = "neighbour" // the organization that does its worst
	neighbourRate = 100         // events per second of the organization that is measured
	neighbourKeys = 100         // as many as an organization may have
	neighbourSlow = 20          // webhooks whose receivers answer just before they time out
)

// neighbour measures what one organization notices when another one does its worst.
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
	keys, err := fx.fillNeighbour(ctx, e.service, b.receiver, webhooks)
	if err := errors.Join(err, e.close(ctx)); err != nil {
		return err
	}
	s, err := b.serve(ctx, fx, "--api-rate", neighbourAPIRate)
	if err != nil {
		return err
	}
	worst := &worstDay{b: b, s: s, keys: keys, webhooks: webhooks, devices: b.o.size(50, 1000, 1000)}
	return errors.Join(b.besideNeighbour(ctx, s, worst), s.close())
}

// fillNeighbour creates the organization neighbourRef, all of whose webhooks select
// every operation, and have the endpoint that hangs as their target, but for a few
// whose target is slow. It returns the texts of its API keys.
func (fx *fixture) fillNeighbour(
	ctx context.Context, s *service.Service, r *receiver, webhooks int,
) (keys []string, err error) {
	_, err = s.SyncItems(ctx, portal, service.SyncItemsInput{
		OrganizationID: neighbourRef, OrganizationName: "Neighbour", Kind: delivery.OperationItem,
		Items: []delivery.SyncedItem{{ID: "restart", Name: "Restart", Enabled: true}},
	})
	if err != nil {
		return nil, fmt.Errorf("create the neighbour: %w", err)
	}
	org, err := s.Organization(ctx, delivery.Caller{Name: "bench", Operator: true}, neighbourRef)
	if err != nil {
		return nil, err
	}
	admin := delivery.Caller{Name: "bench", Grants: map[delivery.OrgID]delivery.Role{org.ID: delivery.Admin}}
	concurrency, timeout := 64, 30.0
	for i := range webhooks {
		target := r.hook(hangingHook)
		if i < neighbourSlow {
			target = r.url + "/hook/" + slowHook
		}
		_, err := s.CreateWebhook(ctx, admin, service.CreateWebhookInput{
			OrganizationID: neighbourRef, Name: fmt.Sprintf("Webhook %d", i),
			Type: delivery.OperationInWorkspace, TargetURL: fmt.Sprintf("%s?%d", target, i),
			Selection: service.SelectionInput{All: true},
			Policy:    &service.PolicyInput{Concurrency: &concurrency, TimeoutSeconds: &timeout},
		})
		if err != nil {
			return nil, fmt.Errorf("create the neighbour's webhooks: %w", err)
		}
	}
	for i := range neighbourKeys {
		made, err := s.CreateAPIKey(ctx, admin, neighbourRef, service.KeyInput{
			Name: fmt.Sprintf("Key %d", i), Role: delivery.AdminKey,
		})
		if err != nil {
			return nil, fmt.Errorf("create the neighbour's keys: %w", err)
		}
		keys = append(keys, made.Text)
	}
	return keys, nil
}

// besideNeighbour measures one organization alone, then beside the other.
func (b *bench) besideNeighbour(ctx context.Context, s *serverProcess, worst *worstDay) error {
	// The first one warms up: it fills caches and opens connections.
	alone, err := b.neighbourRounds(ctx, s, 1+b.o.Rounds)
	if err != nil {
		return err
	}
	if err := errors.Join(worst.check(ctx), b.receiver.hang(ctx)); err != nil {
		return err
	}
	stop := worst.begin(ctx)
	beside, err := b.neighbourRounds(ctx, s, 1+b.o.Rounds)
	stop()
	peak := b.procfs.peak(s.pid())
	if err := errors.Join(err, b.receiver.reset(ctx)); err != nil {
		return err
	}
	ack, acks := median(alone.acks[1:]), median(beside.acks[1:])
	delay, delays := median(alone.delays[1:]), median(beside.delays[1:])
	added := max(acks-ack, delays-delay)
	b.report.add(Figure{
		Name: "neighbour", Title: "added p99 beside a greedy organization", Value: added, Unit: "ms",
		Score: added, Rounds: beside.delays[1:],
		Note: fmt.Sprintf("p99 until acknowledged: %s ms alone, %s beside; until delivered: %s and %s ms; at %d "+
			"events/s. %s", short(ack), short(acks), short(delay), short(delays), neighbourRate, worst),
	})
	if peak > 0 {
		const megabyte = 1 << 20
		b.report.add(Figure{
			Name: "neighbour-memory", Title: "memory of a server meanwhile, peak", Value: peak / megabyte, Unit: "MB",
			Score: peak / megabyte,
		})
	}
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
