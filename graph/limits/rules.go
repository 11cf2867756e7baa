package limits

import (
	"math"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// Rules returns the validation rules of GraphQL and two more: numbers must be in
// range, 32 bits for an Int, and values of open enumerations are names. That a subscription has one field is
// checked by a rule of this package.
func (g *Guard) Rules() *rules.Rules {
	r := rules.NewDefaultRules()
	r.ReplaceRule(rules.SingleFieldSubscriptionsRule.Name, oneSubscription)
	r.AddRule("NumbersInRange", numbersInRange)
	r.AddRule("EnumLiterals", g.enumLiterals)
	return r
}

func numbersInRange(observers *core.Events, addError core.AddErrFunc) {
	observers.OnValue(func(_ *core.Walker, v *ast.Value) {
		inRange := true
		switch v.Kind {
		case ast.IntValue:
			n, err := strconv.ParseInt(v.Raw, 10, 64)
			inRange = err == nil
			if v.Definition != nil && v.Definition.Name == "Int" {
				inRange = inRange && n >= math.MinInt32 && n <= math.MaxInt32
			}
		case ast.FloatValue:
			_, err := strconv.ParseFloat(v.Raw, 64)
			inRange = err == nil
		}
		if !inRange {
			addError(core.Message("This number is out of range."), core.At(v.Position))
		}
	})
}
