package graph

import (
	"errors"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// reportsType is the type of the variable that decodeReports decodes.
const reportsType = "[PortalEventInput!]!"

// reportEnums are the enumerations of reports. The service judges their values,
// and times, report by report: one bad value rejects one report.
var reportEnums = []string{"AlertSeverity", "ObjectAction", "OperationResult"}

// errDoubtful says that an input is not certainly valid. The general decoder
// decides, and names what is wrong.
var errDoubtful = errors.New("not certainly valid")

// decodeReports decodes the variable of a mutation that submits reports. ok is
// false for every input that the schema may forbid.
func decodeReports(text []byte) (value any, ok bool) {
	var input []*gen.PortalEventInput
	if json.Unmarshal(text, &input, reportOptions) != nil || input == nil || !valid(reflect.ValueOf(input)) {
		return nil, false
	}
	return reportsFrom(input), true
}

// valid reports whether a decoded list of reports has everything that the
// schema requires.
var valid = validatorOf(reflect.TypeFor[[]*gen.PortalEventInput]())

// reportOptions make package json as strict as the schema, in what it can see
// while it decodes.
var reportOptions = json.JoinOptions(
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(decodeTime),
		// A payload that is null is not the same as none in a @oneOf input.
		json.UnmarshalFromFunc(refuseNull[*gen.ActiveAlertInput]),
		json.UnmarshalFromFunc(refuseNull[*gen.MicroserviceExecutionInput]),
		json.UnmarshalFromFunc(refuseNull[*gen.ObjectChangeInput]),
		json.UnmarshalFromFunc(refuseNull[*gen.OperationInput]),
	)),
)

// decodeTime decodes a time as [model.ReportTime] does. Null is the zero time.
func decodeTime(d *jsontext.Decoder, t *model.ReportTime) error {
	token, err := d.ReadToken()
	switch {
	case err != nil:
		return err
	case token.Kind() == 'n':
		*t = model.ReportTime{}
		return nil
	case token.Kind() != '"':
		return errDoubtful
	}
	*t = model.ParseReportTime(token.String())
	return nil
}

func refuseNull[T any](d *jsontext.Decoder, _ *T) error {
	if d.PeekKind() == 'n' {
		return errDoubtful
	}
	return errors.ErrUnsupported // decode it as usual
}
