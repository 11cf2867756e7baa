package api

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"portalhooks/test/harness"
)

// A pagedList is a list of an organization.
type pagedList struct {
	field     string // with its other arguments in front, as in "items(kind: ALERT, "
	backwards bool   // whether it can be read from its end
	counted   bool   // whether it has a totalCount
	entries   int    // that the test made
}

var pagedLists = map[string]pagedList{
	"webhooks by name":        {"webhooks(", true, true, 14},
	"webhooks by name, down":  {"webhooks(orderBy: {field: NAME, direction: DESC}, ", true, true, 14},
	"webhooks by creation":    {"webhooks(orderBy: {field: CREATED_AT}, ", true, true, 14},
	"webhooks by last change": {"webhooks(orderBy: {field: UPDATED_AT, direction: DESC}, ", true, true, 14},
	"webhooks found":          {`webhooks(filter: {search: "paged"}, `, true, true, 12},
	"items":                   {"items(kind: OPERATION, ", false, true, 17},
	"items found":             {`items(kind: OPERATION, search: "even", `, false, true, 9},
	"events":                  {"events(", false, false, 12},
	"deliveries":              {"deliveries(", true, false, 24},
	"the audit log":           {"auditLog(", false, false, 19},
	"the audit log of some":   {"auditLog(filter: {actions: [WEBHOOK_CREATED]}, ", false, false, 14},
	"deliveries of some":      {"deliveries(filter: {states: [DELIVERED]}, ", true, false, 24},
}

// A page is one slice of a list.
type page struct {
	ids, cursors     []string
	hasNext, hasPrev bool
}

// TestPagesAreTheWholeList reads every list in pages of random sizes, from the
// start, from the end and between two entries.
func TestPagesAreTheWholeList(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		w := harness.NewWorld(t, s)
		fillLists(t, w)
		seed := rand.Uint64()
		t.Logf("the seed is %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		for name, list := range pagedLists {
			whole := readPage(t, w, list, "first: 100")
			if len(whole.ids) != list.entries || whole.hasNext || whole.hasPrev {
				t.Fatalf("%s: the whole list is %+v, want %d entries", name, whole, list.entries)
			}
			for range 3 {
				checkForward(t, w, list, whole, random)
				checkBetween(t, w, list, whole, random)
			}
			if list.backwards {
				checkBackward(t, w, list, whole, random)
			}
		}
	})
}

func fillLists(t *testing.T, w *harness.World) {
	t.Helper()
	items := make([]any, 17)
	for i := range items {
		// Many of one name.
		items[i] = map[string]any{"id": fmt.Sprintf("op-%d", i), "name": []string{"Even", "Odd", "ODD"}[i%2]}
	}
	w.Must(t, w.Portal, `mutation ($items: [SyncItemInput!]!) {
		syncItems(input: {organizationId: "tenant-b", kind: OPERATION, items: $items}) {
			userErrors { message } } }`,
		map[string]any{"items": items})
	for i := range 12 {
		w.Must(t, w.B.Admin, `mutation ($in: CreateWebhookInput!) { createWebhook(input: $in) {
			userErrors { message } } }`,
			map[string]any{"in": map[string]any{
				"organizationId": "tenant-b", "name": []string{"Paged", "PAGED", "paged é"}[i%3], "eventType": "OBJECT_CREATED",
				"targetUrl": fmt.Sprintf("%s/paged/%d", w.Receiver, i), "selection": map[string]any{"all": true},
			}})
	}
	w.Report(t, "tenant-b", 50, 9) // three are there already
}

func readPage(t *testing.T, w *harness.World, list pagedList, bounds string) page {
	t.Helper()
	count := ""
	if list.counted {
		count = "totalCount "
	}
	a := w.Must(t, w.B.Admin, fmt.Sprintf(`{ organization(id: "tenant-b") { list: %s%s) {
		%sedges { cursor node { id } } nodes { id }
		pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`,
		list.field, bounds, count), nil)
	if list.counted && a.At(t, "organization.list.totalCount") != fmt.Sprint(list.entries) {
		t.Errorf("%s%s): totalCount is %s, want %d",
			list.field, bounds, a.At(t, "organization.list.totalCount"), list.entries)
	}
	p := page{
		hasNext: a.Find("organization.list.pageInfo.hasNextPage") == true,
		hasPrev: a.Find("organization.list.pageInfo.hasPreviousPage") == true,
	}
	for i := range a.List(t, "organization.list.edges") {
		at := fmt.Sprintf("organization.list.edges.%d.", i)
		p.ids = append(p.ids, a.At(t, at+"node.id"))
		p.cursors = append(p.cursors, a.At(t, at+"cursor"))
		if node := a.At(t, fmt.Sprintf("organization.list.nodes.%d.id", i)); node != p.ids[i] {
			t.Errorf("%s%s): node %d is %s, its edge has %s", list.field, bounds, i, node, p.ids[i])
		}
	}
	var start, end any
	if n := len(p.cursors); n > 0 {
		start, end = p.cursors[0], p.cursors[n-1]
	}
	first := a.Find("organization.list.pageInfo.startCursor")
	last := a.Find("organization.list.pageInfo.endCursor")
	if first != start || last != end {
		t.Errorf("%s%s): the page is from %v to %v, its pageInfo says otherwise: %s",
			list.field, bounds, start, end, a.Body)
	}
	return p
}

// same fails t unless p is the part of the whole list from from to to.
func (p page) same(t *testing.T, list pagedList, bounds string, whole page, from, to int) {
	t.Helper()
	want := whole.ids[from:to]
	if !slices.Equal(p.ids, want) || p.hasNext != (to < len(whole.ids)) || p.hasPrev != (from > 0) {
		t.Fatalf("%s%s): got %+v, want %d to %d of %q", list.field, bounds, p, from, to, whole.ids)
	}
}

func checkForward(t *testing.T, w *harness.World, list pagedList, whole page, random *rand.Rand) {
	t.Helper()
	after := ""
	for from := 0; from < len(whole.ids); {
		size := 1 + random.IntN(len(whole.ids)+2)
		bounds := fmt.Sprintf("first: %d%s", size, after)
		to := min(from+size, len(whole.ids))
		p := readPage(t, w, list, bounds)
		p.same(t, list, bounds, whole, from, to)
		after = fmt.Sprintf(`, after: "%s"`, p.cursors[len(p.cursors)-1])
		from = to
	}
	if p := readPage(t, w, list, "first: 5"+after); len(p.ids) != 0 || p.hasNext || !p.hasPrev {
		t.Errorf("%s: after the last entry there is %+v", list.field, p)
	}
}

func checkBackward(t *testing.T, w *harness.World, list pagedList, whole page, random *rand.Rand) {
	t.Helper()
	before := ""
	for to := len(whole.ids); to > 0; {
		size := 1 + random.IntN(len(whole.ids)+2)
		bounds := fmt.Sprintf("last: %d%s", size, before)
		from := max(0, to-size)
		p := readPage(t, w, list, bounds)
		p.same(t, list, bounds, whole, from, to)
		before = fmt.Sprintf(`, before: "%s"`, p.cursors[0])
		to = from
	}
}

// checkBetween reads what is between two entries, as far as the list can.
func checkBetween(t *testing.T, w *harness.World, list pagedList, whole page, random *rand.Rand) {
	t.Helper()
	from := random.IntN(len(whole.ids))
	to := from + random.IntN(len(whole.ids)-from)
	bounds := fmt.Sprintf(`first: 100, after: "%s"`, whole.cursors[from])
	readPage(t, w, list, bounds).same(t, list, bounds, whole, from+1, len(whole.ids))
	if !list.backwards || to <= from+1 {
		return
	}
	bounds = fmt.Sprintf(`first: 100, after: "%s", before: "%s"`, whole.cursors[from], whole.cursors[to])
	readPage(t, w, list, bounds).same(t, list, bounds, whole, from+1, to)
	bounds = fmt.Sprintf(`last: 1, after: "%s", before: "%s"`, whole.cursors[from], whole.cursors[to])
	p := readPage(t, w, list, bounds)
	if len(p.ids) != 1 || p.ids[0] != whole.ids[to-1] || !p.hasNext || !p.hasPrev {
		t.Errorf("%s%s): got %+v, want %s", list.field, bounds, p, whole.ids[to-1])
	}
}
