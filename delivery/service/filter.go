package service

import "portalhooks/delivery"

// maxListed bounds each list in a filter.
const maxListed = 1000

// checkListed refuses a list in a filter that is too long. Field is the argument
// that has it.
func checkListed[T any](field string, list []T) error {
	if len(list) > maxListed {
		return delivery.Errorf(delivery.LimitExceeded, field, "List at most %d.", maxListed)
	}
	return nil
}

// bounded returns a filter of deliveries as it may be asked for: a text becomes a
// pattern, and a list a condition on every row.
func bounded(f delivery.DeliveryFilter) (delivery.DeliveryFilter, error) {
	for _, err := range []error{
		checkListed("filter.webhookIds", f.Webhooks), checkListed("filter.eventTypes", f.Types),
		checkListed("filter.states", f.States), checkListed("filter.outcomes", f.Outcomes),
		checkListed("filter.triggers", f.Triggers),
	} {
		if err != nil {
			return f, err
		}
	}
	var err error
	f.Text, err = searched("filter.text", f.Text)
	return f, err
}
