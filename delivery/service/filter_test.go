package service

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"portalhooks/delivery"
)

// What a filter asks for is bounded: a text becomes a pattern, and each list a
// condition.
func TestFiltersAreBounded(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]delivery.WebhookID{1}, maxListed+1)
	for name, tt := range map[string]struct {
		filter delivery.DeliveryFilter
		field  string
		code   delivery.Code
	}{
		"a long text":   {delivery.DeliveryFilter{Text: strings.Repeat("a", maxSearch+1)}, "filter.text", delivery.Invalid},
		"many webhooks": {delivery.DeliveryFilter{Webhooks: many}, "filter.webhookIds", delivery.LimitExceeded},
		"many states": {
			delivery.DeliveryFilter{States: make([]delivery.State, maxListed+1)},
			"filter.states", delivery.LimitExceeded,
		},
		"all that may be": {
			delivery.DeliveryFilter{Text: strings.Repeat("a", maxSearch), Webhooks: many[:maxListed]}, "", "",
		},
	} {
		_, err := bounded(tt.filter)
		field := ""
		if e, ok := errors.AsType[*delivery.Error](err); ok {
			field = e.Field
		}
		if delivery.CodeOf(err) != tt.code || field != tt.field {
			t.Errorf("%s: %v, want %s of %s", name, err, tt.code, tt.field)
		}
	}
}
