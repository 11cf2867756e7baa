package graph

import (
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"portalhooks/delivery"
)

// Only mutations that wait for a receiver have the time of one.
func TestTestsOfWebhooksHaveExtraTime(t *testing.T) {
	t.Parallel()
	contract, err := gqlparser.LoadSchema(&ast.Source{Input: SDL()})
	if err != nil {
		t.Fatal(err)
	}
	const call = `testWebhook(input: {webhookId: "wh_1"}) { attempt { outcome } }`
	for document, want := range map[string]time.Duration{
		`mutation { ` + call + ` }`:                                              delivery.MaxTimeout,
		`mutation { a: ` + call + ` b: ` + call + ` }`:                           delivery.MaxTimeout,
		`mutation { ... { ` + call + ` } }`:                                      delivery.MaxTimeout,
		`mutation { ...F } fragment F on Mutation { ` + call + ` }`:              delivery.MaxTimeout,
		`mutation { deleteWebhook(input: {id: "wh_1"}) { __typename } }`:         0,
		`{ viewer { name } }`:                                                    0,
		`query testWebhook { testWebhook: viewer { name } }`:                     0,
		`mutation { testWebhook: deleteWebhook(input: {id: ""}) { deletedId } }`: 0,
	} {
		parsed, err := gqlparser.LoadQueryWithRules(contract, document, rules.NewDefaultRules())
		if err != nil {
			t.Errorf("%s: %v", document, err)
			continue
		}
		if got := extraTime(parsed.Operations[0]); got != want {
			t.Errorf("%s: %s, want %s", document, got, want)
		}
	}
}
