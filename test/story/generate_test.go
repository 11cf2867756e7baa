package story

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent"
	"portalhooks/test/harness"
)

// What is generated hangs together: deliveries have their events and webhooks,
// and the counts are those of the log.
func TestGenerateFillsAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	for name, database := range harness.Databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			if url == "" {
				url = "sqlite:" + filepath.Join(t.TempDir(), "history.db")
			}
			generate := func() (string, error) {
				path, err := exec.LookPath("portalhooks")
				if err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), path, "generate", "--database", url, "--deliveries", "500",
					"--due", "20", "--days", "3", "--organizations", "2", "--webhooks", "2")
				said, err := cmd.CombinedOutput()
				return string(said), err
			}
			if said, err := generate(); err != nil {
				t.Fatal(err, said)
			}
			checkGenerated(t, url)
			if said, err := generate(); err == nil || !strings.Contains(said, "not empty") {
				t.Errorf("a second history is made of a used database: %v %s", err, said)
			}
		})
	}
}

func checkGenerated(t *testing.T, url string) {
	t.Helper()
	store, err := ent.Open(t.Context(), ent.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	}()
	pending, finished, retried, tallied := 0, 0, 0, int64(0)
	orgs, err := store.Organizations(t.Context(), nil, "", delivery.Page{First: 10})
	if err != nil || len(orgs.Items) != 2 {
		t.Fatalf("there are %d organizations, %v, want 2", len(orgs.Items), err)
	}
	for _, org := range orgs.Items {
		all, err := store.Deliveries(t.Context(), org.ID, delivery.DeliveryFilter{}, delivery.Page{First: 1000})
		if err != nil {
			t.Fatal(err)
		}
		events, hooks := map[delivery.EventID]bool{}, map[delivery.WebhookID]bool{}
		for _, d := range all.Items {
			events[d.Event], hooks[d.Webhook] = true, true
			switch {
			case !d.State.Final():
				pending++
			case d.Attempts > 1:
				retried++
				finished++
			default:
				finished++
			}
		}
		for event := range events {
			found, err := store.EventsByID(t.Context(), org.ID, []delivery.EventID{event})
			if err != nil || len(found) != 1 || !strings.Contains(string(found[0].Variables), "alert_name") {
				t.Fatalf("the event %s is %v, %v", event, found, err)
			}
			ofSource := delivery.EventFilter{SourceEventID: found[0].SourceEventID}
			same, err := store.Events(t.Context(), org.ID, ofSource, delivery.Page{First: 10})
			if err != nil || len(same.Items) != 1 || same.Items[0].ID != event {
				t.Fatalf("Portal's id of the event %s finds %v, %v", event, same.Items, err)
			}
		}
		if len(hooks) != 2 {
			t.Errorf("an organization's deliveries are of %d webhooks, want 2", len(hooks))
		}
		now := time.Now().UTC().Truncate(time.Hour)
		tallies, err := store.Counts(t.Context(), org.ID, delivery.CountQuery{
			From: now.AddDate(0, 0, -5), To: now.AddDate(0, 0, 1), Step: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range tallies {
			tallied += one.Entries
		}
	}
	if pending != 20 || finished != 500 || retried == 0 || tallied != int64(finished+retried) {
		t.Errorf("%d wait, %d are over, %d of them retried, and %d entries are counted, "+
			"want 20, 500, some, their sum", pending, finished, retried, tallied)
	}
}
