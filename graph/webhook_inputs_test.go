package graph

import (
	"reflect"
	"slices"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
)

func TestCreateInputComesThroughWhole(t *testing.T) {
	t.Parallel()
	got := createInput(&gen.CreateWebhookInput{
		OrganizationID: "org", Name: "n", EventType: delivery.ActiveAlert, TargetURL: "https://example.com",
		Selection: &gen.SelectionInput{ItemIds: []string{"itm_1"}}, Template: new("{}"),
		Headers: []*gen.HeaderInput{{Name: "A", Value: new("1"), Secret: true}, {Name: "B"}},
		Policy:  &gen.DeliveryPolicyInput{TimeoutSeconds: new(2.5)}, Status: delivery.Disabled,
	})
	want := service.CreateWebhookInput{
		OrganizationID: "org", Name: "n", Type: delivery.ActiveAlert, TargetURL: "https://example.com",
		Selection: service.SelectionInput{ItemIDs: []string{"itm_1"}}, Template: new("{}"),
		Headers: []service.HeaderInput{{Name: "A", Value: new("1"), Secret: true}, {Name: "B"}},
		Policy:  &service.PolicyInput{TimeoutSeconds: new(2.5)}, Status: delivery.Disabled,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	wholeFilter(t, want)
}

func TestUpdateInput(t *testing.T) {
	t.Parallel()
	id := delivery.WebhookID(7)
	got, err := updateInput(&gen.UpdateWebhookInput{
		ID: id.String(), ExpectedVersion: 3, Name: new("n"), TargetURL: new("u"), Template: new("{}"),
		Selection: &gen.SelectionInput{All: new(true)}, Headers: []*gen.HeaderInput{},
		Policy: &gen.DeliveryPolicyInput{},
	})
	if err != nil {
		t.Fatal(err)
	}
	wholeFilter(t, got)
	if got.ID != id || !got.Selection.All || got.Headers == nil || len(*got.Headers) != 0 {
		t.Errorf("got %+v, want an empty list of headers, which removes all", got)
	}
	got, err = updateInput(&gen.UpdateWebhookInput{ID: id.String(), ExpectedVersion: 3})
	want := service.UpdateWebhookInput{ID: id, ExpectedVersion: 3}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("nothing to change: got %+v, %v; want %+v", got, err, want)
	}
	_, err = updateInput(&gen.UpdateWebhookInput{ID: "x"})
	refused(t, "no id", err, delivery.Invalid, "id")
}

func TestRetriesMayBeLeftOutOrNull(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		given graphql.Omittable[[]int32]
		set   bool
		want  []int
	}{
		"left out": {},
		"null":     {given: graphql.OmittableOf[[]int32](nil), set: true},
		"none":     {given: graphql.OmittableOf([]int32{}), set: true, want: []int{}},
		"some":     {given: graphql.OmittableOf([]int32{5, 60}), set: true, want: []int{5, 60}},
	} {
		got := policyInput(&gen.DeliveryPolicyInput{RetrySeconds: tt.given})
		sameNil := (got.RetrySeconds == nil) == (tt.want == nil)
		if got.RetrySet != tt.set || !slices.Equal(got.RetrySeconds, tt.want) || !sameNil {
			t.Errorf("%s: got %v %v, want %v %v", name, got.RetrySet, got.RetrySeconds, tt.set, tt.want)
		}
	}
	if policyInput(nil) != nil {
		t.Error("no policy became one")
	}
}

func TestNumbersOfAPolicyMayBeLeftOutOrNull(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		given graphql.Omittable[*int32]
		want  *int
	}{
		"left out":        {},
		"null":            {graphql.OmittableOf[*int32](nil), new(0)},
		"some":            {graphql.OmittableOf(new(int32(12))), new(12)},
		"zero is refused": {graphql.OmittableOf(new(int32(0))), new(-1)},
	} {
		got := policyInput(&gen.DeliveryPolicyInput{
			Concurrency: tt.given, MaxPerMinute: tt.given, Ordered: new(true),
		})
		if !reflect.DeepEqual(got.Concurrency, tt.want) || !reflect.DeepEqual(got.PerMinute, tt.want) ||
			!*got.Ordered {
			t.Errorf("%s: got %+v, want %v", name, got, tt.want)
		}
	}
}
