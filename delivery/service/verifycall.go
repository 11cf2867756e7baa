package service

import (
	"net/http"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/signature"
)

// VerifyCall checks the signature of a call that this service may have made,
// for the simulated receivers of development mode. It reports known as false
// when the call is not for a delivery of this store.
func (s *Service) VerifyCall(r *http.Request, body []byte) (verified, known bool) {
	id, ok := delivery.ParseDeliveryID(r.Header.Get(signature.HeaderID))
	if !ok {
		return false, false
	}
	found, err := s.store.DeliveriesByID(r.Context(), 0, []delivery.DeliveryID{id})
	if err != nil || len(found) == 0 {
		return false, false
	}
	t, err := s.pipeline.Targets.Of(r.Context(), found[0].Org, found[0].Webhook, 0)
	if err != nil || t.Deleted {
		return false, false
	}
	return signature.Verify(r.Header, body, time.Now(), t.Secrets...) == nil, true
}
