package cache

import (
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
)

func TestExpiredSecretsDoNotSign(t *testing.T) {
	open := openTarget{secrets: []openSecret{
		{expiresAt: time.Time{}},
		{expiresAt: deliverytest.Now},
		{expiresAt: deliverytest.Now.Add(1)},
	}}
	if got := len(open.now(&delivery.Webhook{}, deliverytest.Now).Secrets); got != 2 {
		t.Errorf("%d secrets sign, want 2", got)
	}
}
