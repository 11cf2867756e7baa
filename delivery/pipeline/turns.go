package pipeline

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"portalhooks/delivery"
)

const (
	// partRows is after how many rows, events and their deliveries, of one call
	// others get their turn. A report of 20,000 devices is stored in parts; an event
	// and its deliveries stay together.
	partRows = 500
	// batchRows is how many rows one transaction takes before it leaves further
	// calls to the next, and orgRows how many of them may be one organization's:
	// another one waits for two such transactions at the most.
	batchRows = 5_000
	orgRows   = 1_000
	// bulkRows is how many rows a handover has at most to be short: a transaction of
	// short ones goes between two with more.
	bulkRows = 100
	// A transaction of more that took slowBulk is followed by a pause restFor times
	// as long, if short handovers came in the last shortFor: they find the database
	// free for three quarters of the time.
	// A transaction that was slow for another reason, such as a database that is away,
	// counts as slowest.
	slowBulk = 25 * time.Millisecond
	slowest  = 100 * time.Millisecond
	restFor  = 3
	shortFor = time.Second
	// alertRun is how many handovers of alerts go before one that waits beside
	// them, within an organization.
	alertRun = 8
)

// rowsOf returns how many rows units are.
func rowsOf(units []delivery.Ingest) int {
	rows := 0
	for i := range units {
		for j := range units[i].Events {
			rows += 1 + len(units[i].Events[j].Deliveries)
		}
	}
	return rows
}

type factKey struct {
	org delivery.OrgID
	key string
}

// Turns choose what the next transaction stores. Organizations take turns: what
// one of them reports, and how many deliveries its webhooks make of it, keeps no
// other waiting for longer than one transaction. Within an organization alerts
// go first.
type turns struct {
	keys map[factKey]bool // of the batch that is chosen
	rows int              // in it
	bulk bool             // whether a handover of more than bulkRows is in it
	// shortAt is when a short handover was last chosen, and resting the end of the
	// pause after a slow transaction.
	shortAt, resting time.Time
	// served is the latest batch of each organization that still waits.
	served map[delivery.OrgID]int
	batch  int
}

func newTurns() *turns {
	return &turns{keys: make(map[factKey]bool), served: make(map[delivery.OrgID]int)}
}

// A line is what waits of one organization.
type line struct {
	org            delivery.OrgID
	alerts, others []*handover
	run            int // alerts since the last of the others
	rows           int // in the batch
}

// next returns the line whose first handover goes next, nil when both are empty.
func (l *line) next() *[]*handover {
	switch {
	case len(l.alerts) > 0 && (len(l.others) == 0 || l.run < alertRun):
		return &l.alerts
	case len(l.others) > 0:
		return &l.others
	}
	return nil
}

// stored notes how long the transaction of the batch took.
func (t *turns) stored(took time.Duration) {
	if now := time.Now(); t.bulk && took >= slowBulk && now.Sub(t.shortAt) < shortFor {
		t.resting = now.Add(restFor * min(took, slowest))
	}
}

// choose returns the handovers of the next batch and those that wait for a later
// one, and for how long it pauses if the batch is empty. Handovers whose callers
// have gone are dropped.
func (t *turns) choose(waiting []*handover) (batch, later []*handover, pause time.Duration) {
	clear(t.keys)
	t.rows = 0
	t.batch++
	lines := t.lines(waiting)
	now := time.Now()
	pause = t.resting.Sub(now)
	// Every other transaction is a short one while short handovers wait.
	isShort := func(l *line) bool { return (*l.next())[0].rows <= bulkRows }
	short := pause > 0 || t.bulk && slices.ContainsFunc(lines, isShort)
	t.bulk = false
	chosen := make(map[*handover]bool)
	for len(lines) > 0 {
		lines = slices.DeleteFunc(lines, func(l *line) bool {
			from := l.next()
			if from == nil || short && (*from)[0].rows > bulkRows || !t.admit(l, (*from)[0], len(batch) == 0) {
				return true
			}
			h := (*from)[0]
			if h.rows > bulkRows {
				t.bulk = true
			} else {
				t.shortAt = now
			}
			*from = (*from)[1:]
			if l.run++; !h.urgent {
				l.run = 0
			}
			batch = append(batch, h)
			chosen[h] = true
			t.served[l.org] = t.batch
			return false
		})
	}
	waits := make(map[delivery.OrgID]bool)
	for _, h := range waiting {
		if !chosen[h] && h.ctx.Err() == nil {
			later = append(later, h)
			waits[h.org] = true
		}
	}
	maps.DeleteFunc(t.served, func(org delivery.OrgID, _ int) bool { return !waits[org] })
	return batch, later, pause
}

// lines sorts what waits by organization. The one that was served the longest
// ago is the first.
func (t *turns) lines(waiting []*handover) []*line {
	var lines []*line
	byOrg := make(map[delivery.OrgID]*line)
	for _, h := range waiting {
		if h.ctx.Err() != nil {
			continue
		}
		l := byOrg[h.org]
		if l == nil {
			l = &line{org: h.org}
			byOrg[h.org] = l
			lines = append(lines, l)
		}
		if h.urgent {
			l.alerts = append(l.alerts, h)
		} else {
			l.others = append(l.others, h)
		}
	}
	slices.SortStableFunc(lines, func(a, b *line) int { return cmp.Compare(t.served[a.org], t.served[b.org]) })
	return lines
}

// admit takes a handover into the batch if it fits. Events with the same key go
// to different batches, in their order, so that a batch never has to say which of
// its own events came first.
func (t *turns) admit(l *line, h *handover, first bool) bool {
	if !first && (t.rows+h.rows > batchRows || l.rows > 0 && l.rows+h.rows > orgRows || t.clashes(h)) {
		return false
	}
	t.rows += h.rows
	l.rows += h.rows
	for i := range h.units {
		for j := range h.units[i].Events {
			t.keys[factKey{h.units[i].Org, h.units[i].Events[j].Key}] = true
		}
	}
	return true
}

// clashes reports whether an event of the handover is in the batch already.
func (t *turns) clashes(h *handover) bool {
	for i := range h.units {
		for j := range h.units[i].Events {
			if t.keys[factKey{h.units[i].Org, h.units[i].Events[j].Key}] {
				return true
			}
		}
	}
	return false
}
