package limits

import (
	"context"

	"github.com/99designs/gqlgen/complexity"
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// A Cost is the complexity of an operation and the most that one of its kind may
// have.
type Cost struct {
	Requested int `json:"requested"`
	Limit     int `json:"limit"`
}

// costKey is the name under which an operation has its Cost.
const costKey = "Cost"

// CostOf returns the cost of an operation; the zero Cost if it was refused before
// that was known.
func CostOf(opCtx *graphql.OperationContext) Cost {
	cost, _ := opCtx.Stats.GetExtension(costKey).(Cost)
	return cost
}

// checkCost refuses an operation that is too complex. A subscription may cost less
// than a query, because it costs as much for each of its responses.
func (g *Guard) checkCost(ctx context.Context, opCtx *graphql.OperationContext) *gqlerror.Error {
	cost := Cost{
		Requested: complexity.Calculate(ctx, g.executable, opCtx.Operation, opCtx.Variables),
		Limit:     g.limits.Complexity,
	}
	if opCtx.Operation.Operation == ast.Subscription {
		cost.Limit = g.limits.SubscriptionComplexity
	}
	opCtx.Stats.SetExtension(costKey, cost)
	if cost.Requested > cost.Limit {
		return tooMuch("The complexity of the operation is %d, more than %d. Request less at a time.",
			cost.Requested, cost.Limit)
	}
	return nil
}
