package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A configuring is an organization with items and an admin.
type configuring struct {
	*Service
	store *fakeStore
	org   Organization
	admin Caller
	items map[string]ItemID
}

func newConfiguring(t *testing.T) configuring {
	t.Helper()
	store := newFakeStore()
	s := newFront(t, store)
	orgs, err := s.learner.organizations(t.Context(), []namedOrg{{"acme", "Acme"}, {"other", "Other"}})
	if err != nil {
		t.Fatal(err)
	}
	c := configuring{Service: s, store: store, org: orgs["acme"], items: make(map[string]ItemID)}
	c.admin = Caller{Name: "nora", Grants: map[OrgID]Role{c.org.ID: Admin}}
	for _, one := range []struct {
		org  string
		kind ItemKind
		id   string
	}{
		{"acme", AlertItem, "disk"}, {"acme", AlertItem, "cpu"}, {"acme", OperationItem, "restart"}, {"other", AlertItem, "foreign"},
	} {
		ids, err := s.learner.learn(t.Context(), orgs[one.org].ID, []fact{{Kind: one.kind, Item: ReportedItem{ID: one.id}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			c.items[one.id] = id
		}
	}
	return c
}

func (c configuring) input(change func(*CreateWebhookInput)) CreateWebhookInput {
	in := CreateWebhookInput{
		OrganizationID: "acme", Name: "Tickets", Type: ActiveAlert, TargetURL: "https://itsm.example/in",
		Selection: SelectionInput{ExternalIDs: []string{"disk"}},
	}
	change(&in)
	return in
}

func (c configuring) create(t *testing.T, change func(*CreateWebhookInput)) *CreatedWebhook {
	t.Helper()
	made, err := c.CreateWebhook(t.Context(), c.admin, c.input(change))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func same(*CreateWebhookInput) {}

func text(s string) *string { return &s }

func TestCreateWebhookRefuses(t *testing.T) {
	c := newConfiguring(t)
	header := func(name, value string) []HeaderInput { return []HeaderInput{{Name: name, Value: &value}} }
	seconds := func(f float64) *PolicyInput { return &PolicyInput{TimeoutSeconds: &f} }
	for name, tt := range map[string]struct {
		change func(*CreateWebhookInput)
		field  string
		code   Code
	}{
		"no name":                {func(in *CreateWebhookInput) { in.Name = " " }, "name", Required},
		"a long name":            {func(in *CreateWebhookInput) { in.Name = strings.Repeat("é", 201) }, "name", Invalid},
		"a line break in a name": {func(in *CreateWebhookInput) { in.Name = "a\nb" }, "name", Invalid},
		"an unknown type":        {func(in *CreateWebhookInput) { in.Type = "X" }, "eventType", Invalid},
		"an unknown status":      {func(in *CreateWebhookInput) { in.Status = "ON" }, "status", Invalid},
		"no URL":                 {func(in *CreateWebhookInput) { in.TargetURL = "" }, "targetUrl", Required},
		"a private address":      {func(in *CreateWebhookInput) { in.TargetURL = "https://10.0.0.1/" }, "targetUrl", URLForbidden},
		"a password in the URL":  {func(in *CreateWebhookInput) { in.TargetURL = "https://a:b@c.example/" }, "targetUrl", URLForbidden},
		"broken JSON":            {func(in *CreateWebhookInput) { in.Template = text(`{"a":}`) }, "template", TemplateInvalid},
		"a variable of another type": {
			func(in *CreateWebhookInput) { in.Template = text(`{"a":"#microservice_id"}`) }, "template", TemplateInvalid,
		},
		"nothing selected": {func(in *CreateWebhookInput) { in.Selection = SelectionInput{} }, "selection", Required},
		"an empty list": {
			func(in *CreateWebhookInput) { in.Selection = SelectionInput{ExternalIDs: []string{}} }, "selection", Required,
		},
		"all and a list": {func(in *CreateWebhookInput) { in.Selection.All = true }, "selection", Invalid},
		"too many items": {
			func(in *CreateWebhookInput) { in.Selection.ExternalIDs = make([]string, MaxSelectedItems+1) },
			"selection", LimitExceeded,
		},
		"an unknown item": {
			func(in *CreateWebhookInput) { in.Selection.ExternalIDs = []string{"disk", "nothing"} },
			"selection.externalIds.1", NotFound,
		},
		"an item of another kind": {
			func(in *CreateWebhookInput) {
				in.Selection = SelectionInput{ItemIDs: []string{c.items["restart"].String()}}
			}, "selection.itemIds.0", NotFound,
		},
		"an item of another organization": {
			func(in *CreateWebhookInput) {
				in.Selection = SelectionInput{ItemIDs: []string{c.items["foreign"].String()}}
			}, "selection.itemIds.0", NotFound,
		},
		"no item id": {
			func(in *CreateWebhookInput) { in.Selection = SelectionInput{ItemIDs: []string{"disk"}} },
			"selection.itemIds.0", NotFound,
		},
		"Host":                  {func(in *CreateWebhookInput) { in.Headers = header("host", "x") }, "headers.0.name", HeaderForbidden},
		"Transfer-Encoding":     {func(in *CreateWebhookInput) { in.Headers = header("TRANSFER-ENCODING", "x") }, "headers.0.name", HeaderForbidden},
		"TE":                    {func(in *CreateWebhookInput) { in.Headers = header("TE", "x") }, "headers.0.name", HeaderForbidden},
		"Proxy-":                {func(in *CreateWebhookInput) { in.Headers = header("Proxy-Authorization", "x") }, "headers.0.name", HeaderForbidden},
		"a signature header":    {func(in *CreateWebhookInput) { in.Headers = header("Webhook-Id", "x") }, "headers.0.name", HeaderForbidden},
		"no header name":        {func(in *CreateWebhookInput) { in.Headers = header("", "x") }, "headers.0.name", Required},
		"no token":              {func(in *CreateWebhookInput) { in.Headers = header("X Key", "x") }, "headers.0.name", HeaderForbidden},
		"a smuggled header":     {func(in *CreateWebhookInput) { in.Headers = header("X-Key", "a\r\nHost: b") }, "headers.0.value", HeaderForbidden},
		"no header value":       {func(in *CreateWebhookInput) { in.Headers = []HeaderInput{{Name: "X-Key"}} }, "headers.0.value", Required},
		"a header twice":        {func(in *CreateWebhookInput) { in.Headers = append(header("x-a", "1"), header("X-A", "2")...) }, "headers.1.name", Invalid},
		"too many headers":      {func(in *CreateWebhookInput) { in.Headers = make([]HeaderInput, 21) }, "headers", LimitExceeded},
		"headers over 4 KiB":    {func(in *CreateWebhookInput) { in.Headers = header("X-A", strings.Repeat("x", 4<<10)) }, "headers", LimitExceeded},
		"a timeout too short":   {func(in *CreateWebhookInput) { in.Policy = seconds(0.5) }, "policy.timeoutSeconds", Invalid},
		"a timeout too long":    {func(in *CreateWebhookInput) { in.Policy = seconds(31) }, "policy.timeoutSeconds", Invalid},
		"an unknown time zone":  {func(in *CreateWebhookInput) { in.Policy = &PolicyInput{TimeZone: text("Mars/Olympus")} }, "policy.timeZone", Invalid},
		"the server's own zone": {func(in *CreateWebhookInput) { in.Policy = &PolicyInput{TimeZone: text("Local")} }, "policy.timeZone", Invalid},
		"a pause of nothing": {
			func(in *CreateWebhookInput) { in.Policy = &PolicyInput{RetrySet: true, RetrySeconds: []int{5, 0}} },
			"policy.retrySeconds.1", Invalid,
		},
		"too many retries": {
			func(in *CreateWebhookInput) { in.Policy = &PolicyInput{RetrySet: true, RetrySeconds: make([]int, 21)} },
			"policy.retrySeconds", LimitExceeded,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.CreateWebhook(t.Context(), c.admin, c.input(tt.change))
			problems, ok := errors.AsType[Errors](err)
			if !ok || len(problems) != 1 || problems[0].Field != tt.field || problems[0].Code != tt.code {
				t.Fatalf("err = %+v, want one %s at %s", problems, tt.code, tt.field)
			}
			if tt.code == TemplateInvalid && (problems[0].Line != 1 || problems[0].Column < 2) {
				t.Errorf("position %d:%d", problems[0].Line, problems[0].Column)
			}
		})
	}
	if n := len(c.store.webhooks); n != 0 {
		t.Errorf("%d webhooks were stored", n)
	}
}

func TestCreateWebhookTellsAllProblemsTogether(t *testing.T) {
	c := newConfiguring(t)
	_, err := c.CreateWebhook(t.Context(), c.admin, CreateWebhookInput{
		OrganizationID: "acme", Type: ActiveAlert, TargetURL: "ftp://x", Template: text("{"),
	})
	problems, _ := errors.AsType[Errors](err)
	var fields []string
	for _, p := range problems {
		fields = append(fields, p.Field)
	}
	if want := []string{"name", "targetUrl", "template", "selection"}; !slices.Equal(fields, want) {
		t.Errorf("fields = %v, want %v", fields, want)
	}
}

func TestOnlyAnAdminConfigures(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	for name, tt := range map[string]struct {
		caller Caller
		want   Code
	}{
		"nobody":                 {Caller{}, Unauthenticated},
		"a stranger":             {Caller{Name: "x"}, NotFound},
		"another's admin":        {Caller{Name: "x", Grants: map[OrgID]Role{c.org.ID + 1: Admin}}, NotFound},
		"a viewer":               {Caller{Name: "x", Grants: map[OrgID]Role{c.org.ID: ViewerRole}}, Forbidden},
		"an operator":            {Caller{Name: "x", Operator: true}, Forbidden},
		"Portal can't configure": {Caller{Name: "x", Portal: true}, NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			for call, err := range map[string]error{
				"create": second(c.CreateWebhook(ctx, tt.caller, c.input(same))),
				"update": second(c.UpdateWebhook(ctx, tt.caller, UpdateWebhookInput{ID: w.ID, ExpectedVersion: 1})),
				"delete": c.DeleteWebhook(ctx, tt.caller, w.ID),
				"status": second(c.SetWebhookStatus(ctx, tt.caller, SetStatusInput{ID: w.ID, Status: Disabled})),
				"rotate": second(c.RotateWebhookSecret(ctx, tt.caller, w.ID, 0)),
			} {
				if CodeOf(err) != tt.want {
					t.Errorf("%s: %v, want %s", call, err, tt.want)
				}
			}
		})
	}
	if got := c.store.webhooks[w.ID]; got.Version.Number != 1 || got.Version.Deleted {
		t.Errorf("the webhook was changed: %+v", got)
	}
}

func second[T any](_ T, err error) error { return err }

func TestCreateWebhookRefusesATwin(t *testing.T) {
	c := newConfiguring(t)
	first := c.create(t, same).Webhook
	for name, tt := range map[string]struct {
		change func(*CreateWebhookInput)
		twin   bool
	}{
		"another name":              {func(in *CreateWebhookInput) { in.Name = "Other" }, true},
		"a disabled one":            {func(in *CreateWebhookInput) { in.Status = Disabled }, true},
		"the URL written otherwise": {func(in *CreateWebhookInput) { in.TargetURL = "HTTPS://ITSM.example:443/in" }, true},
		"the item by our id": {func(in *CreateWebhookInput) {
			in.Selection = SelectionInput{ItemIDs: []string{c.items["disk"].String()}}
		}, true},
		"the template written out": {
			func(in *CreateWebhookInput) {
				info, _ := TypeInfoOf(ActiveAlert)
				in.Template = text(strings.ReplaceAll(info.DefaultTemplate, "\n", " "))
			}, true,
		},
		"other items":    {func(in *CreateWebhookInput) { in.Selection.ExternalIDs = []string{"cpu"} }, false},
		"all items":      {func(in *CreateWebhookInput) { in.Selection = SelectionInput{All: true} }, false},
		"another path":   {func(in *CreateWebhookInput) { in.TargetURL += "/2" }, false},
		"another letter": {func(in *CreateWebhookInput) { in.Template = text(`{"a":"#alert_name"}`) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.CreateWebhook(t.Context(), c.admin, c.input(tt.change))
			if !tt.twin {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			twin, _ := errors.AsType[*Error](err)
			if twin == nil || twin.Code != Duplicate || twin.Twin != first.ID || !strings.Contains(twin.Message, "Tickets") {
				t.Errorf("err = %+v, want a twin of %s", err, first.ID)
			}
		})
	}
}

func TestOverlapsAreWarnedOf(t *testing.T) {
	c := newConfiguring(t)
	first := c.create(t, same).Webhook
	apart := c.create(t, func(in *CreateWebhookInput) { in.Selection.ExternalIDs = []string{"cpu"} })
	if len(apart.Warnings) != 0 {
		t.Errorf("warned of a webhook with other items: %+v", apart.Warnings)
	}
	all := c.create(t, func(in *CreateWebhookInput) { in.Selection = SelectionInput{All: true} })
	if len(all.Warnings) != 2 || all.Warnings[0].Code != OverlapWarning || all.Warnings[0].Webhook == 0 {
		t.Errorf("warnings = %+v, want of both others", all.Warnings)
	}
	got, err := c.Overlaps(t.Context(), c.admin, []*Webhook{first, nil, all.Webhook})
	if err != nil {
		t.Fatal(err)
	}
	if len(got[0]) != 1 || got[0][0].ID != all.Webhook.ID || got[1] != nil || len(got[2]) != 2 {
		t.Errorf("overlaps = %v", got)
	}
}

func TestUpdateWebhook(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, func(in *CreateWebhookInput) {
		in.Headers = []HeaderInput{{Name: "x-key", Value: text("canary"), Secret: true}, {Name: "X-Env", Value: text("test")}}
	}).Webhook
	update := func(expected int, change func(*UpdateWebhookInput)) (*UpdatedWebhook, error) {
		in := UpdateWebhookInput{ID: w.ID, ExpectedVersion: expected}
		change(&in)
		return c.UpdateWebhook(t.Context(), c.admin, in)
	}
	got, err := update(1, func(in *UpdateWebhookInput) { in.Name = text("Renamed") })
	if err != nil {
		t.Fatal(err)
	}
	v := got.Webhook.Version
	if v.Number != 2 || got.Webhook.Name != "Renamed" || v.Target != w.Version.Target || v.ID == w.Version.ID {
		t.Errorf("after the rename: %+v", v)
	}
	if v.Fingerprint != w.Version.Fingerprint {
		t.Error("a new name changes the fingerprint")
	}
	_, err = update(1, func(in *UpdateWebhookInput) { in.Name = text("Lost") })
	if CodeOf(err) != Conflict || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("an old version: %v", err)
	}
	got, err = update(2, func(in *UpdateWebhookInput) { in.Name = text("Renamed") })
	if err != nil || got.Webhook.Version.Number != 2 {
		t.Errorf("no change makes a version: %+v, %v", got, err)
	}
	// A header's value may stay as it is; the other header goes.
	_, err = update(2, func(in *UpdateWebhookInput) { in.Headers = &[]HeaderInput{{Name: "X-Key", Secret: true}} })
	if err != nil {
		t.Fatal(err)
	}
	target, err := c.target(t.Context(), w.Org, w.ID)
	if err != nil {
		t.Fatal(err)
	}
	if target.Headers.Get("X-Key") != "canary" || len(target.Headers) != 1 || len(target.Secrets) != 1 {
		t.Errorf("target = %+v", target)
	}
	_, err = update(3, func(in *UpdateWebhookInput) { in.Headers = &[]HeaderInput{{Name: "X-Key"}} })
	if CodeOf(err) != Required {
		t.Errorf("a secret value was made visible: %v", err)
	}
}

func TestUpdateChecksOnlyWhatChanges(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	c.store.change(func() { c.store.items = nil }) // the selected item has vanished
	_, err := c.UpdateWebhook(t.Context(), c.admin, UpdateWebhookInput{ID: w.ID, ExpectedVersion: 1, Name: text("New")})
	if err != nil {
		t.Errorf("a rename is refused: %v", err)
	}
}

func TestSecretsAreNeverStoredOrShownInTheClear(t *testing.T) {
	c := newConfiguring(t)
	made := c.create(t, func(in *CreateWebhookInput) {
		in.Headers = []HeaderInput{{Name: "Authorization", Value: text("Bearer canary"), Secret: true}}
	})
	if !strings.HasPrefix(made.Secret, "whsec_") {
		t.Errorf("secret = %q", made.Secret)
	}
	stored := fmt.Sprintf("%+v %s", c.store.webhooks[made.Webhook.ID], made.Webhook.Version.Headers[0].Sealed)
	if strings.Contains(stored, "canary") || strings.Contains(stored, made.Secret) {
		t.Error("a secret is stored in the clear")
	}
	if h := c.HeadersOf(&made.Webhook.Version)[0]; h.Value != Mask || !h.Secret {
		t.Errorf("header = %+v", h)
	}
	if hint := made.Webhook.Secrets[0].Hint; !strings.Contains(made.Secret, hint) || len(hint) != 4 {
		t.Errorf("hint = %q", hint)
	}
	// An envelope does not open in another webhook's place.
	other := c.create(t, func(in *CreateWebhookInput) { in.TargetURL += "/other" }).Webhook
	c.store.change(func() { c.store.webhooks[other.ID].Secrets = made.Webhook.Secrets })
	c.configs.drop(c.org.ID)
	if _, err := c.target(t.Context(), c.org.ID, other.ID); err == nil {
		t.Error("a secret copied to another webhook opens there")
	}
}

func TestRotationKeepsAtMostTwoOldSecrets(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	seen := make(map[string]bool)
	signing := func() int {
		target, err := c.target(t.Context(), w.Org, w.ID)
		if err != nil {
			t.Fatal(err)
		}
		return len(target.Secrets)
	}
	for i, want := range []int{2, 3, 3} {
		rotated, err := c.RotateWebhookSecret(t.Context(), c.admin, w.ID, 24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if seen[rotated.Secret] {
			t.Error("the secret is not new")
		}
		seen[rotated.Secret] = true
		if got := signing(); got != want {
			t.Errorf("after rotation %d: %d secrets sign, want %d", i+1, got, want)
		}
		if secrets := rotated.Webhook.Secrets; !secrets[0].ExpiresAt.IsZero() || secrets[1].ExpiresAt.IsZero() {
			t.Errorf("expiry: %v and %v", secrets[0].ExpiresAt, secrets[1].ExpiresAt)
		}
	}
	if _, err := c.RotateWebhookSecret(t.Context(), c.admin, w.ID, 0); err != nil {
		t.Fatal(err)
	}
	if got := signing(); got != 1 {
		t.Errorf("%d secrets sign after a rotation that keeps none", got)
	}
	for _, keep := range []time.Duration{-1, MaxKeepOld + 1} {
		if _, err := c.RotateWebhookSecret(t.Context(), c.admin, w.ID, keep); CodeOf(err) != Invalid {
			t.Errorf("keep %s: %v", keep, err)
		}
	}
}

func TestExpiredSecretsDoNotSign(t *testing.T) {
	open := openTarget{secrets: []openSecret{{expiresAt: time.Time{}}, {expiresAt: testNow}, {expiresAt: testNow.Add(1)}}}
	if got := len(open.now(&Webhook{}, testNow).Secrets); got != 2 {
		t.Errorf("%d secrets sign, want 2", got)
	}
}

func TestMaskURL(t *testing.T) {
	for target, want := range map[string]string{
		"https://itsm.example/in":                          "https://itsm.example/in",
		"https://itsm.example:8443/in?key=s3cret&x=&y":     "https://itsm.example:8443/in?key=" + Mask + "&x=&" + Mask,
		"https://hooks.slack.com/services/T0/B0/s3cret":    "https://hooks.slack.com/" + Mask,
		"https://HOOKS.slack.com./services/T0/B0/s3cret":   "https://HOOKS.slack.com./" + Mask,
		"https://discord.com/api/webhooks/1/s3cret":        "https://discord.com/api/webhooks/" + Mask,
		"https://discord.com/api/v10/webhooks/1/s3cret":    "https://discord.com/api/webhooks/" + Mask,
		"https://discord.com/about":                        "https://discord.com/about",
		"https://acme.webhook.office.com/webhookb2/s3cret": "https://acme.webhook.office.com/" + Mask,
		"https://prod-1.logic.azure.com:443/workflows/a?sig=s3cret": "https://prod-1.logic.azure.com:443/" + Mask +
			"?sig=" + Mask,
		"https://x.environment.api.powerplatform.com/p/s3cret": "https://x.environment.api.powerplatform.com/" + Mask,
		"https://evilhooks.slack.com.example/a":                "https://evilhooks.slack.com.example/a",
	} {
		if got := maskURL(target); got != want {
			t.Errorf("%s is shown as %s, want %s", target, got, want)
		}
	}
}

func TestTargetURLIsWholeOnlyForWhoMayConfigure(t *testing.T) {
	s := newFront(t, newFakeStore())
	v := &WebhookVersion{Target: "https://x.example/?key=s3cret"}
	for name, tt := range map[string]struct {
		caller Caller
		whole  bool
	}{
		"admin":    {Caller{Name: "a", Grants: map[OrgID]Role{1: Admin}}, true},
		"viewer":   {Caller{Name: "v", Grants: map[OrgID]Role{1: ViewerRole}}, false},
		"operator": {Caller{Name: "o", Operator: true}, false},
		"nobody":   {Caller{}, false},
	} {
		if got := s.TargetURL(tt.caller, 1, v); (got == v.Target) != tt.whole {
			t.Errorf("%s sees %s", name, got)
		}
	}
}

func TestSetWebhookStatus(t *testing.T) {
	c := newConfiguring(t)
	taking(t, c.Service)
	w := c.create(t, func(in *CreateWebhookInput) { in.Selection = SelectionInput{All: true} }).Webhook
	set := func(in SetStatusInput) *Webhook {
		t.Helper()
		in.ID = w.ID
		got, err := c.SetWebhookStatus(t.Context(), c.admin, in)
		if err != nil {
			t.Fatal(err)
		}
		return got.Webhook
	}
	counts := func() (held, canceled, pending int) {
		c.store.change(func() {
			for _, row := range c.store.queue {
				switch {
				case row.cancel:
					canceled++
				case row.held:
					held++
				default:
					pending++
				}
			}
		})
		return held, canceled, pending
	}
	check := func(what string, held, canceled, pending int) {
		t.Helper()
		if h, x, p := counts(); h != held || x != canceled || p != pending {
			t.Errorf("%s: %d held, %d canceled, %d pending; want %d, %d, %d", what, h, x, p, held, canceled, pending)
		}
	}
	holding := set(SetStatusInput{Status: Disabled, Hold: true})
	if !holding.Holding || !holding.Version.Listening || holding.DisabledReason != DisabledByAdmin {
		t.Errorf("holding = %+v", holding)
	}
	take(t, c.Service, alertReport("s-1"))
	check("while holding", 1, 0, 0)
	enabled := set(SetStatusInput{Status: Enabled})
	if enabled.DisabledReason != "" || !enabled.DisabledAt.IsZero() || enabled.Version.Number != 3 {
		t.Errorf("enabled = %+v", enabled)
	}
	check("released", 0, 0, 1)
	disabled := set(SetStatusInput{Status: Disabled})
	if disabled.Version.Listening || disabled.DisabledAt.IsZero() {
		t.Errorf("disabled = %+v", disabled)
	}
	check("disabled without hold", 0, 1, 0)
	if got := take(t, c.Service, alertReport("s-2")); got.Deliveries != 0 {
		t.Errorf("a disabled webhook took an event: %+v", got)
	}
	if again := set(SetStatusInput{Status: Disabled}); again.Version.Number != disabled.Version.Number {
		t.Error("the same status makes a version")
	}
	set(SetStatusInput{Status: Disabled, Hold: true})
	take(t, c.Service, alertReport("s-3"))
	set(SetStatusInput{Status: Enabled, DropHeld: true})
	check("dropped", 0, 2, 0)
}

func TestSetWebhookStatusRefuses(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	for name, tt := range map[string]struct {
		in   SetStatusInput
		want Code
	}{
		"an unknown status":       {SetStatusInput{ID: w.ID, Status: "ON"}, Invalid},
		"hold when enabled":       {SetStatusInput{ID: w.ID, Status: Enabled, Hold: true}, Invalid},
		"drop held when disabled": {SetStatusInput{ID: w.ID, Status: Disabled, DropHeld: true}, Invalid},
		"another version":         {SetStatusInput{ID: w.ID, Status: Disabled, ExpectedVersion: 9}, Conflict},
		"no such webhook":         {SetStatusInput{ID: 1, Status: Disabled}, NotFound},
	} {
		if _, err := c.SetWebhookStatus(t.Context(), c.admin, tt.in); CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

func TestDeletedWebhooksStayReadable(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	if err := c.DeleteWebhook(t.Context(), c.admin, w.ID); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteWebhook(t.Context(), c.admin, w.ID); CodeOf(err) != NotFound {
		t.Errorf("deleted twice: %v", err)
	}
	found, err := c.WebhooksByID(t.Context(), c.admin, []WebhookID{w.ID})
	if err != nil || found[0] == nil || !found[0].Version.Deleted {
		t.Errorf("found %v, %v", found, err)
	}
	target, err := c.target(t.Context(), w.Org, w.ID)
	if err != nil || !target.Deleted {
		t.Errorf("target = %+v, %v", target, err)
	}
	c.create(t, same) // its configuration is free again
}

func TestSeedFillsAnEmptyDatabaseOnce(t *testing.T) {
	store := newFakeStore()
	s := newFront(t, store)
	taking(t, s)
	for range 2 {
		if err := s.Seed(t.Context(), "https://receiver.example"); err != nil {
			t.Fatal(err)
		}
	}
	if len(store.orgs) != 3 || len(store.items) != 76 || len(store.webhooks) != 7 {
		t.Errorf("%d organizations, %d items, %d webhooks", len(store.orgs), len(store.items), len(store.webhooks))
	}
	results, err := s.Ingest(t.Context(), testPortal, readReports(t, "../examples/restart.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if got := results[0]; got.Status != Accepted || len(got.Events) != 4 || got.Deliveries != 4 {
		t.Errorf("the Restart example = %+v, want 4 events and 4 deliveries", got)
	}
	if _, err := s.Ingest(t.Context(), testPortal, readReports(t, "../examples/every-type.jsonl")); err != nil {
		t.Fatal(err)
	}
	sent := make(map[EventType]int)
	for _, row := range store.queue {
		sent[row.delivery.Type]++
	}
	if len(sent) != len(eventTypes) {
		t.Errorf("the examples send %v, not every type", sent)
	}
}

func TestWebhookLimit(t *testing.T) {
	c := newConfiguring(t)
	c.store.change(func() {
		for i := range MaxWebhooks {
			c.store.webhooks[WebhookID(i+1)] = &Webhook{ID: WebhookID(i + 1), Org: c.org.ID}
		}
	})
	if _, err := c.CreateWebhook(t.Context(), c.admin, c.input(same)); CodeOf(err) != LimitExceeded {
		t.Errorf("err = %v, want %s", err, LimitExceeded)
	}
}

func TestPreviewMessage(t *testing.T) {
	c := newConfiguring(t)
	taking(t, c.Service)
	w := c.create(t, same).Webhook
	id := take(t, c.Service, alertReport("s")).Events[0]
	preview := func(change func(*PreviewInput)) (*Preview, error) {
		in := PreviewInput{OrganizationID: "acme", Type: ActiveAlert, Template: `{"a":"#alert_name #webhook_name"}`}
		change(&in)
		return c.PreviewMessage(t.Context(), c.admin, in)
	}
	for name, tt := range map[string]struct {
		change func(*PreviewInput)
		want   string
	}{
		"sample values": {
			func(*PreviewInput) {}, `{"a":"Low disk space on system drive ITSM tickets - alerts"}`,
		},
		"a recorded event of a webhook": {
			func(in *PreviewInput) { in.Event, in.Webhook = id, w.ID }, `{"a":"Low disk Tickets"}`,
		},
		"a time zone": {
			func(in *PreviewInput) {
				in.Template, in.TimeZone = `{"a":"#{timestamp|date:\"15:04\"}"}`, "Europe/Madrid"
			}, `{"a":"10:31"}`,
		},
		"a broken template": {func(in *PreviewInput) { in.Template = `{` }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := preview(tt.change)
			if err != nil {
				t.Fatal(err)
			}
			if got.Message != tt.want || got.Bytes != len(tt.want) || (len(got.Problems) > 0) != (tt.want == "") {
				t.Errorf("preview = %+v, want %s", got, tt.want)
			}
		})
	}
	for name, change := range map[string]func(*PreviewInput){
		"an unknown webhook": func(in *PreviewInput) { in.Webhook = 1 },
		"an unknown event":   func(in *PreviewInput) { in.Event = 1 },
	} {
		if _, err := preview(change); CodeOf(err) != NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := preview(func(in *PreviewInput) { in.Type, in.Event = ObjectCreated, id }); CodeOf(err) != Invalid {
		t.Errorf("an event of another type: %v", err)
	}
}

func TestOrganizationDefaultsToTheOnlyOne(t *testing.T) {
	c := newConfiguring(t)
	both := Caller{Name: "p", Grants: map[OrgID]Role{c.org.ID: Admin, c.org.ID + 1: Admin}}
	for name, tt := range map[string]struct {
		caller Caller
		ref    string
		code   Code
	}{
		"the only one":                 {c.admin, "", ""},
		"by Portal's id":               {c.admin, "acme", ""},
		"by our id":                    {c.admin, c.org.ID.String(), ""},
		"another's":                    {c.admin, "other", NotFound},
		"none such":                    {c.admin, "nothing", NotFound},
		"an operator must say which":   {Caller{Name: "o", Operator: true}, "", Required},
		"a partner too":                {both, "", Required},
		"an operator may see any":      {Caller{Name: "o", Operator: true}, "other", ""},
		"who is not signed in may not": {Caller{}, "acme", Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			org, err := c.Organization(t.Context(), tt.caller, tt.ref)
			if CodeOf(err) != tt.code || err == nil && org == nil {
				t.Errorf("err = %v, want %q", err, tt.code)
			}
		})
	}
}

func TestSyncItems(t *testing.T) {
	c := newConfiguring(t)
	sync := func(items ...SyncedItem) (SyncCounts, error) {
		return c.SyncItems(context.WithoutCancel(t.Context()), testPortal, SyncItemsInput{
			OrganizationID: "acme", Kind: AlertItem, Items: items, Complete: true,
		})
	}
	counts, err := sync(SyncedItem{ID: "disk", Name: "Disk", Enabled: true, Attributes: []byte(`{"a": 1}`)}, SyncedItem{ID: "new"})
	if err != nil || counts != (SyncCounts{Created: 1, Updated: 1, Missing: 1}) {
		t.Errorf("counts = %+v, err = %v", counts, err)
	}
	for name, tt := range map[string]struct {
		items []SyncedItem
		field string
	}{
		"no id":            {[]SyncedItem{{}}, "items.0.id"},
		"an item twice":    {[]SyncedItem{{ID: "a"}, {ID: "a"}}, "items.1.id"},
		"not an object":    {[]SyncedItem{{ID: "a", Attributes: []byte(`[1]`)}}, "items.0.attributes"},
		"broken JSON":      {[]SyncedItem{{ID: "a", Attributes: []byte(`{`)}}, "items.0.attributes"},
		"a hostile link":   {[]SyncedItem{{ID: "a", ViewURL: "data:text/html,x"}}, "items.0.viewUrl"},
		"too many of them": {make([]SyncedItem, MaxSyncedItems+1), "items"},
	} {
		_, err := sync(tt.items...)
		problems, _ := errors.AsType[Errors](err)
		if len(problems) == 0 || problems[0].Field != tt.field {
			t.Errorf("%s: %+v, want a problem at %s", name, err, tt.field)
		}
	}
	c.opts.ViewURLs = map[ItemKind]string{AlertItem: "https://portal.example/alerts/{id}"}
	list, err := c.Items(t.Context(), c.admin, c.org.ID, ItemQuery{Kind: AlertItem, Search: " DISK "}, Page{})
	if err != nil || len(list.Items) != 1 || list.Items[0].ViewURL != "https://portal.example/alerts/disk" {
		t.Errorf("items = %+v, %v", list.Items, err)
	}
}
