package api

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"portalhooks/delivery"
	"portalhooks/graph"
	"portalhooks/test/harness"
)

// An itemsTest syncs one item of an organization of its own.
type itemsTest struct {
	*harness.APIServer

	portal, admin string
}

func newItemsTest(t *testing.T, s *harness.APIServer) itemsTest {
	t.Helper()
	return itemsTest{s, s.Key(t, delivery.PortalKey, ""), s.Key(t, delivery.AdminKey, "items")}
}

// sync syncs the item with these members, and returns the errors.
func (i *itemsTest) sync(t *testing.T, members string) []any {
	t.Helper()
	a := i.Ask(t, i.portal, `mutation ($items: [SyncItemInput!]!) { syncItems(input: {
		organizationId: "items", kind: ALERT, items: $items}) { userErrors { code field message } } }`,
		map[string]any{"items": json.RawMessage(`[{"id": "disk", "name": "Disk"` + members + `}]`)})
	return a.List(t, "syncItems.userErrors")
}

// read returns the item, as JSON.
func (i *itemsTest) read(t *testing.T) string {
	t.Helper()
	const query = `{ organization { items(kind: ALERT) { nodes { enabled viewUrl attributes } } } }`
	a := i.Must(t, i.admin, query, nil)
	_, item, _ := strings.Cut(string(a.Body), `"nodes":[`)
	item, _, _ = strings.Cut(item, `]`)
	return item
}

// What is left out, or null, gets its default, whatever it was before.
func TestAnItemIsStoredAsItIsListed(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		i := newItemsTest(t, s)
		const all = `, "enabled": false, "viewUrl": "https://portal.example/disk",
			"attributes": {"b": 1, "a": 2.50}`
		const defaults = `{"enabled":true,"viewUrl":null,"attributes":{}}`
		for _, tt := range []struct{ members, want string }{
			{all, `{"enabled":false,"viewUrl":"https://portal.example/disk","attributes":{"a":2.50,"b":1}}`},
			{``, defaults},
			{all, `{"enabled":false,"viewUrl":"https://portal.example/disk","attributes":{"a":2.50,"b":1}}`},
			{`, "viewUrl": null, "attributes": null`, defaults},
			{`, "viewUrl": "https://portal.example/2"`, `{"enabled":true,"viewUrl":"https://portal.example/2","attributes":{}}`},
			{`, "viewUrl": ""`, defaults},
		} {
			if problems := i.sync(t, tt.members); len(problems) > 0 {
				t.Fatalf("%s is refused: %v", tt.members, problems)
			}
			if got := i.read(t); got != tt.want {
				t.Errorf("with %s the item is %s, want %s", tt.members, got, tt.want)
			}
		}
	})
}

// The schema says how long attributes may be.
func TestAttributesMayBeAsLongAsTheSchemaSays(t *testing.T) {
	t.Parallel()
	i := newItemsTest(t, harness.StartAPI(t, harness.APIDatabases["SQLite"](t)))
	found := regexp.MustCompile(`a JSON object of at most (\d+) KiB`).FindStringSubmatch(graph.SDL())
	if found == nil {
		t.Fatal("the schema does not say it")
	}
	limit, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	const start, end = `{"a":"`, `"}`
	text := strings.Repeat("x", limit<<10-len(start)-len(end))
	if problems := i.sync(t, `, "attributes": `+start+text+end); len(problems) > 0 {
		t.Errorf("attributes of %d KiB are refused: %v", limit, problems)
	}
	if problems := i.sync(t, `, "attributes": `+start+text+"x"+end); len(problems) != 1 {
		t.Errorf("attributes of a byte more than %d KiB: %v, want one error", limit, problems)
	}
}
