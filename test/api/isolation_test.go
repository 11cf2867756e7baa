package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"portalhooks/test/harness"
)

// An isolationCase asks for things of another organization. In its queries
// "@webhook" stands for that of the other organization, or for one that does
// not exist, and "~webhook" for the caller's own; see names.
type isolationCase struct {
	queries []string
	// cursor marks positions, which a list of one's own may be read from, from
	// whichever list they are: there is none that does not exist.
	cursor bool
	// by picks who asks, other than the other organization's admin and viewer.
	by func(w *harness.World) []asker
	// knows picks whose answer shows that the query would tell the things that
	// exist from others; the organization's own admin if nil.
	knows func(w *harness.World) string
}

// An asker is a caller with the name of the role.
type asker struct{ role, key string }

func (c isolationCase) askers(w *harness.World) []asker {
	if c.by != nil {
		return c.by(w)
	}
	return []asker{{"admin", w.B.Admin}, {"viewer", w.B.Viewer}}
}

// TestOrganizationsDoNotKnowOfEachOther asks for every field of the schema that
// takes an id or a cursor, or shows what belongs to an organization, with what
// is another organization's. The answer must be that to an id that does not exist.
func TestOrganizationsDoNotKnowOfEachOther(t *testing.T) {
	t.Parallel()
	cases := isolationCases()
	for _, missing := range missingCases(apiSchema(), cases) {
		t.Errorf("%s takes an id or shows what is an organization's: give it a case in "+
			"api_isolation_cases_test.go", missing)
	}
	generated := nodeCases(apiSchema())
	for name := range generated {
		if _, both := cases[name]; both {
			t.Errorf("the case %s is there twice", name)
		}
	}
	maps.Copy(cases, generated)
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		w := harness.NewWorld(t, s)
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			if strings.HasPrefix(name, "Subscription.") {
				continue // see TestSubscribersSeeOnlyTheirOrganization
			}
			t.Run(name, func(t *testing.T) { cases[name].check(t, w) })
		}
	})
}

func (c isolationCase) check(t *testing.T, w *harness.World) {
	for _, query := range c.queries {
		for _, by := range c.askers(w) {
			got := w.Ask(t, by.key, fill(query, w.A.Names, w.B.Names), nil).Body
			ghost := w.Ask(t, by.key, fill(query, harness.Ghosts, w.B.Names), nil).Body
			switch want := mask(ghost, harness.Ghosts); {
			case c.cursor && bytes.Contains(got, []byte("canary")):
				t.Errorf("%s is told: %s\nof: %s", by.role, got, query)
			case !c.cursor && mask(got, w.A.Names) != want:
				t.Errorf("%s is told: %s\nof what does not exist: %s\nof: %s", by.role, got, want, query)
			}
		}
		c.checkSense(t, w, query)
	}
}

// checkSense makes sure that a query asks for something: callers that may see it get
// another answer.
func (c isolationCase) checkSense(t *testing.T, w *harness.World, query string) {
	if !strings.Contains(query, "@") || c.cursor {
		return
	}
	key := w.A.Admin
	switch {
	case c.knows != nil:
		key = c.knows(w)
	case strings.HasPrefix(query, "mutation"):
		key = w.A.Viewer // who is told that it is there, and changes nothing
	}
	got := w.Ask(t, key, fill(query, w.A.Names, w.A.Names), nil)
	ghost := w.Ask(t, key, fill(query, harness.Ghosts, w.A.Names), nil)
	if mask(got.Body, w.A.Names) == mask(ghost.Body, harness.Ghosts) {
		t.Errorf("no caller gets anything from %s: %s", query, got.Body)
	}
}

// fill puts the names of things into a query.
func fill(query string, others, own harness.Names) string {
	return placeholder.ReplaceAllStringFunc(query, func(text string) string {
		from := own
		if text[0] == '@' {
			from = others
		}
		value, ok := from[text[1:]]
		if !ok {
			return text
		}
		quoted, _ := json.Marshal(value) // text always has a JSON form
		return string(quoted)
	})
}

var placeholder = regexp.MustCompile(`[@~]\w+`)

// mask takes what differs by itself out of an answer: the names that the
// question had, and ids of requests.
func mask(body []byte, asked harness.Names) string {
	text := string(body)
	longestFirst := slices.SortedFunc(maps.Keys(asked), func(a, b string) int {
		return len(asked[b]) - len(asked[a])
	})
	for _, name := range longestFirst {
		text = strings.ReplaceAll(text, asked[name], "<name>")
	}
	return requestID.ReplaceAllString(text, `"requestId":""`)
}

var requestID = regexp.MustCompile(`"requestId":"\w+"`)
