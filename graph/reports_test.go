package graph

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"portalhooks/delivery"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// A filler sets every field of a value to a unique value.
type filler struct{ n int }

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(noon.Add(time.Duration(f.n) * time.Second)))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(fmt.Sprintf(`{"n":%d}`, f.n))))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Struct:
		for _, field := range v.Fields() {
			f.fill(field)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0))
		f.fill(v.Index(1))
	case reflect.String:
		v.SetString(fmt.Sprintf("value %d", f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32:
		v.SetInt(int64(f.n))
	default:
		panic("fill does not support " + v.Type().String())
	}
}

// leaves counts the leaf values of v and appends the paths of zero values to missing.
func leaves(v reflect.Value, path string, found map[string]int, missing *[]string) {
	if _, ok := reflect.TypeAssert[time.Time](v); !ok {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() {
				*missing = append(*missing, path)
			} else {
				leaves(v.Elem(), path, found, missing)
			}
			return
		case reflect.Struct:
			for i := range v.NumField() {
				leaves(v.Field(i), path+"."+v.Type().Field(i).Name, found, missing)
			}
			return
		case reflect.Slice:
			for i := range v.Len() {
				leaves(v.Index(i), fmt.Sprintf("%s.%d", path, i), found, missing)
			}
			if v.Len() > 0 {
				return
			}
		}
	}
	if v.IsZero() {
		*missing = append(*missing, path)
	}
	found[fmt.Sprint(v.Interface())]++
}

// sameLeaves fails t unless got has each leaf value of given exactly as often.
// Leaves at the paths without may be missing.
func sameLeaves(t *testing.T, given, got any, without ...string) {
	t.Helper()
	want, have := map[string]int{}, map[string]int{}
	var missing []string
	leaves(reflect.ValueOf(given), reflect.TypeOf(given).String(), want, &missing)
	leaves(reflect.ValueOf(got), reflect.TypeOf(got).String(), have, &missing)
	missing = slices.DeleteFunc(missing, func(path string) bool { return slices.Contains(without, path) })
	if len(missing) > 0 {
		t.Errorf("no value in %q", missing)
	}
	for value, n := range want {
		if have[value] != n {
			t.Errorf("%q occurs %d times, want %d", value, have[value], n)
		}
	}
}

func TestReportsAreConvertedCompletely(t *testing.T) {
	t.Parallel()
	in := gen.PortalEventInput{}
	(&filler{}).fill(reflect.ValueOf(&in).Elem())
	in.Event.Operation.Complete = nil // the opposite of Partial, which decides
	sameLeaves(t, in, reportOf(&in), "gen.PortalEventInput.Event.Operation.Complete")
}

// Every time and every enumeration of a report is judged by the service: the
// types that gqlgen generates have no time that could refuse the whole request,
// and no enumeration is missing from reportEnums.
func TestValuesOfReportsAreJudgedByTheService(t *testing.T) {
	t.Parallel()
	var find func(typ reflect.Type, path string)
	find = func(typ reflect.Type, path string) {
		switch {
		case typ == reflect.TypeFor[time.Time]():
			t.Errorf("%s is a time.Time, want a ReportTime: name it in gqlgen.yml", path)
		case typ == reflect.TypeFor[model.ReportTime]():
		case typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice:
			find(typ.Elem(), path)
		case typ.Kind() == reflect.Struct:
			for field := range typ.Fields() {
				find(field.Type, path+"."+field.Name)
			}
		}
	}
	find(reflect.TypeFor[gen.PortalEventInput](), "PortalEventInput")

	schema := gqlparser.MustLoadSchema(&ast.Source{Input: SDL()})
	seen := map[string]bool{}
	var enums []string
	var visit func(name string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		if schema.Types[name].Kind == ast.Enum {
			enums = append(enums, name)
		}
		for _, field := range schema.Types[name].Fields {
			visit(field.Type.Name())
		}
	}
	visit("PortalEventInput")
	slices.Sort(enums)
	if !slices.Equal(enums, reportEnums) {
		t.Errorf("reports have the enumerations %v, reportEnums has %v", enums, reportEnums)
	}
}

func TestSyncedItemsAreConvertedCompletely(t *testing.T) {
	t.Parallel()
	in := gen.SyncItemsInput{}
	(&filler{}).fill(reflect.ValueOf(&in).Elem())
	sameLeaves(t, in, syncInput(&in))
}

// The zero values of typed clients are harmless, and complete works as before for
// clients that do not know partial.
func TestPartialDecidesBeforeComplete(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		partial, complete *bool
		want              bool
	}{
		"neither":              {nil, nil, false},
		"more follow":          {new(true), nil, true},
		"no more follow":       {new(false), nil, false},
		"complete":             {nil, new(true), false},
		"not complete":         {nil, new(false), true},
		"both zero":            {new(false), new(false), false},
		"partial, zero beside": {new(true), new(false), true},
		"complete, no partial": {new(false), new(true), false},
		"in contradiction":     {new(true), new(true), true},
	} {
		in := &gen.OperationInput{Partial: tt.partial, Complete: tt.complete, ExpectedWorkspaces: new(int32(0))}
		if got := operationOf(in); got.Partial != tt.want || got.ExpectedWorkspaces != 0 {
			t.Errorf("%s: got %+v, want partial = %t", name, got, tt.want)
		}
	}
}

func TestAbsentPartsStayAbsent(t *testing.T) {
	t.Parallel()
	got := reportOf(&gen.PortalEventInput{
		OrganizationID: "o", SourceEventID: "s", Event: &gen.PortalEventPayload{},
	})
	if want := (delivery.Report{OrganizationID: "o", SourceEventID: "s"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	alert := alertOf(&gen.ActiveAlertInput{Alert: &gen.AlertInput{ID: "a"}})
	if alert.Workspace != nil || alert.Alert.Severity != "" {
		t.Errorf("got %+v, want no device and no severity", alert)
	}
	operation := operationOf(&gen.OperationInput{OperationID: "o"})
	if operation.Microservice != nil || operation.Result != "" || !operation.EndDate.IsZero() {
		t.Errorf("got %+v, want no microservice, no result and no end", operation)
	}
	change := objectOf(&gen.ObjectChangeInput{
		Object: &gen.ObjectInput{Changes: []*gen.FieldChangeInput{{Property: "p", NewValue: new("")}}},
		User:   &gen.UserInput{},
	}).Changes[0]
	if change.OriginalValue != nil || change.NewValue == nil {
		t.Errorf("got %+v: no value and an empty one differ", change)
	}
}

// TestExamplesAreReports decodes the examples of the manual.
func TestExamplesAreReports(t *testing.T) {
	t.Parallel()
	file, err := os.Open(filepath.Join("..", "examples", "every-type.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	payloads := map[string]int{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var in gen.PortalEventInput
		if err := json.Unmarshal(lines.Bytes(), &in); err != nil {
			t.Fatal(err)
		}
		r := reportOf(&in)
		if r.OrganizationID == "" || r.SourceEventID == "" || r.OccurredAt.IsZero() {
			t.Errorf("an example without its ids or time: %s", lines.Text())
		}
		for name, there := range map[string]bool{
			"alert": r.ActiveAlert != nil, "microservice": r.MicroserviceExecution != nil,
			"object": r.ObjectChange != nil, "operation": r.Operation != nil,
		} {
			if there {
				payloads[name]++
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(payloads) != 4 || payloads["object"] < 3 {
		t.Errorf("the examples have %v, want all four, and all three changes of objects", payloads)
	}
}
