package template

import (
	"strings"
	"testing"
)

// benchNames are the variables of an alert.
func benchNames() []string {
	return []string{
		"event_type", "organization_id", "organization_name", "timestamp",
		"alert_name", "alert_information", "alert_start", "alert_element",
		"workspace_id", "workspace_name", "workspace_last_user",
		"workspace_reporting_group_id", "workspace_reporting_group_name",
	}
}

func benchSource() string {
	lines := make([]string, 0, 13)
	for _, name := range benchNames() {
		lines = append(lines, `"`+name+`": "#`+name+`"`)
	}
	return "{\n\"message\": {\n" + strings.Join(lines, ",\n") + "\n}\n}"
}

const benchValues = `{"alert_category":"Storage","alert_element":"C:","alert_id":"1f0e90",` +
	`"alert_information":"Free space is 2 % of 250 GB, the threshold is 10 %","alert_name":"Low disk space",` +
	`"alert_severity":"Critical","alert_start":"2026-01-14T09:30:00Z","event_type":"Active alert",` +
	`"event_type_id":"ACTIVE_ALERT","group_id":"0198f3c2-7a10-7c55-9d1e-4f2b6a8c0d11",` +
	`"organization_id":"665f1c2ab4d07e3c9a1f0e21","organization_name":"Acme Retail",` +
	`"timestamp":"2026-01-14T09:31:07Z","workspace_id":"665f1c2ab4d07e3c9a1f0e77",` +
	`"workspace_last_user":"ACME\\bob","workspace_name":"STORE-042-POS-1",` +
	`"workspace_reporting_group_id":"665f1c2ab4d07e3c9a1f0e55","workspace_reporting_group_name":"Stores"}`

func BenchmarkRender(b *testing.B) {
	tmpl := mustCompile(b, benchSource(), Options{})
	values := mustValues(b, benchValues)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tmpl.Render(nil, values, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRenderIntoBuffer(b *testing.B) {
	tmpl := mustCompile(b, benchSource(), Options{})
	values := mustValues(b, benchValues)
	buffer := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tmpl.Render(buffer, values, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseValues(b *testing.B) {
	source := []byte(benchValues)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseValues(source); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWith(b *testing.B) {
	values := mustValues(b, benchValues)
	b.ReportAllocs()
	for b.Loop() {
		values.With(Text{"event_id", "e"}, Text{"webhook_id", "w"}, Text{"webhook_name", "n"},
			Text{"delivery_id", "d"})
	}
}

func BenchmarkCompile(b *testing.B) {
	source, vocabulary := benchSource(), testVocabulary()
	b.ReportAllocs()
	for b.Loop() {
		if tmpl, _ := Compile(source, vocabulary, Options{}); tmpl == nil {
			b.Fatal("the template does not compile")
		}
	}
}

func TestRenderAllocatesOnlyTheMessage(t *testing.T) {
	tmpl := mustCompile(t, benchSource(), Options{})
	values := mustValues(t, benchValues)
	if n := testing.AllocsPerRun(100, func() { _, _ = tmpl.Render(nil, values, 0) }); n > 1 {
		t.Errorf("%g allocations, want 1", n)
	}
	buffer := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { _, _ = tmpl.Render(buffer, values, 0) }); n > 0 {
		t.Errorf("%g allocations into a buffer, want none", n)
	}
}
