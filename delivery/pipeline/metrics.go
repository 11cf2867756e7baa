package pipeline

import (
	"time"

	"portalhooks/delivery"

	"github.com/prometheus/client_golang/prometheus"
)

// The buckets of durations, in seconds: a delivery takes milliseconds when all
// is well, and an attempt never more than MaxTimeout.
var durationBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30}

// batchBuckets are for the sizes of batches.
var batchBuckets = []float64{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 5000, 25000}

// Metrics is what the pipeline and the service tell Prometheus.
type Metrics struct {
	depth       *prometheus.GaugeVec
	oldest      prometheus.Gauge
	reports     *prometheus.CounterVec
	events      *prometheus.CounterVec
	ingest      prometheus.Histogram
	commit      *prometheus.HistogramVec
	attempts    *prometheus.CounterVec
	states      *prometheus.CounterVec
	duration    prometheus.Histogram
	latency     prometheus.Histogram
	settles     prometheus.Histogram
	fenced      prometheus.Counter
	unstorable  prometheus.Counter
	Subscribers prometheus.Gauge
	breakers    *prometheus.GaugeVec
	panics      prometheus.Counter
	abandoned   *prometheus.CounterVec
	Noticed     prometheus.Counter
	Disabled    *prometheus.CounterVec
	errors      *prometheus.CounterVec

	OldestTransaction prometheus.Gauge
}

// NewMetrics makes the metrics and registers them; r may be nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		depth: gauges("queue_deliveries", "Pending deliveries in the queue, by what they wait for.", "state"),
		oldest: gauge("queue_oldest_due_seconds",
			"How long the delivery that has been due for longest has waited; 0 when none is due."),
		reports: counters("ingest_reports_total",
			"Reports that Portal submitted, by what became of them.", "status"),
		events: counters("ingest_events_total", "Events stored, by type.", "type"),
		ingest: histogram("ingest_batch_events", "Events in one transaction.", batchBuckets),
		commit: histograms("commit_seconds",
			"Duration of one transaction, by what it stored.", durationBuckets, "kind"),
		attempts: counters("attempts_total", "Attempts made, by outcome.", "outcome"),
		states:   counters("deliveries_total", "Changes of deliveries stored, by the state they led to.", "state"),
		duration: histogram("attempt_seconds", "Duration of one attempt.", durationBuckets),
		latency: histogram("first_attempt_delay_seconds",
			"Time from the receipt of an event to the end of the first attempt to deliver it.", durationBuckets),
		settles: histogram("settle_batch_deliveries", "Deliveries settled in one transaction.", batchBuckets),
		fenced: counter("settles_fenced_total",
			"Results that came too late: another server had settled the attempt."),
		unstorable: counter("results_unstorable_total",
			"Results that the database refused for what they contained: their deliveries FAILED instead."),
		Subscribers: gauge("watchers", "Subscribers of the delivery log."),
		breakers: gauges("breakers",
			"Webhooks whose calls wait because their target fails, by state of the breaker.", "state"),
		panics: counter("worker_panics_total", "Deliveries that failed because of an error in this program."),
		abandoned: counters("deliveries_put_back_total",
			"Deliveries leased to this server and requeued without an attempt, by reason.", "reason"),
		Noticed: counter("webhooks_failing_total",
			"Webhooks found to have done nothing but fail for half of the time after which they are disabled."),
		Disabled: counters("webhooks_disabled_total", "Webhooks that the system disabled, by reason.", "reason"),
		errors:   counters("loop_errors_total", "Errors of the loops in the background, by loop.", "loop"),
		OldestTransaction: gauge("database_oldest_transaction_seconds",
			"How long the oldest transaction that keeps the database from cleaning up has been open; 0 without one."),
	}
	if r != nil {
		r.MustRegister(m.depth, m.oldest, m.reports, m.events, m.ingest, m.commit, m.attempts, m.states, m.duration,
			m.latency, m.settles, m.fenced, m.unstorable, m.Subscribers, m.breakers,
			m.panics, m.abandoned, m.Noticed, m.Disabled, m.errors, m.OldestTransaction)
	}
	return m
}

// ingested counts the reports of one call by what became of them.
func (m *Metrics) ingested(results []delivery.IngestResult) {
	n := make(map[delivery.IngestStatus]int)
	for i := range results {
		n[results[i].Status]++
	}
	for status, n := range n {
		m.reports.WithLabelValues(string(status)).Add(float64(n))
	}
}

// ingestedEvents counts the events that were stored by their type.
func (m *Metrics) ingestedEvents(batch []delivery.Ingest, stored []delivery.Ingested) {
	counts := make(map[delivery.EventType]int)
	for _, e := range delivery.FreshEvents(batch, stored) {
		counts[e.Event.Type]++
	}
	for t, n := range counts {
		m.events.WithLabelValues(string(t)).Add(float64(n))
	}
}

// ingestBatch records one transaction that stored events.
func (m *Metrics) ingestBatch(events int, took time.Duration) {
	m.ingest.Observe(float64(events))
	m.commit.WithLabelValues("ingest").Observe(took.Seconds())
}

// settleBatch records one transaction that stored results.
func (m *Metrics) settleBatch(n int, took time.Duration) {
	m.settles.Observe(float64(n))
	m.commit.WithLabelValues("settle").Observe(took.Seconds())
}

// settled records one entry of the log that was stored.
func (m *Metrics) settled(e *delivery.LogEntry) {
	m.states.WithLabelValues(string(e.Delivery.State)).Inc()
	a := e.Attempt
	if a == nil {
		return
	}
	m.attempts.WithLabelValues(string(a.Outcome)).Inc()
	m.duration.Observe(a.Duration.Seconds())
	if a.Number == 1 && e.Delivery.Trigger == delivery.ByEvent {
		m.latency.Observe(a.StartedAt.Add(a.Duration).Sub(delivery.IDTime(e.Delivery.Event)).Seconds())
	}
}

// breakersAre shows how many breakers are not closed.
func (m *Metrics) breakersAre(open, halfOpen int) {
	m.breakers.WithLabelValues(string(delivery.BreakerOpen)).Set(float64(open))
	m.breakers.WithLabelValues(string(delivery.BreakerHalfOpen)).Set(float64(halfOpen))
}

// requeued counts deliveries that were requeued without an attempt.
func (m *Metrics) requeued(reason string, n int) {
	if n > 0 {
		m.abandoned.WithLabelValues(reason).Add(float64(n))
	}
}

// Queue shows the depth of the queue.
func (m *Metrics) Queue(d delivery.QueueDepth, now time.Time) {
	m.depth.WithLabelValues("pending").Set(float64(d.Pending))
	m.depth.WithLabelValues("leased").Set(float64(d.Leased))
	m.depth.WithLabelValues("held").Set(float64(d.Held))
	age := time.Duration(0)
	if !d.OldestDue.IsZero() {
		age = max(0, now.Sub(d.OldestDue))
	}
	m.oldest.Set(age.Seconds())
}

// Failed counts an error of a loop in the background.
func (m *Metrics) Failed(loop string) { m.errors.WithLabelValues(loop).Inc() }

// watch registers gauges of the dispatcher; r may be nil.
func (d *Dispatcher) watch(r prometheus.Registerer) {
	if r == nil {
		return
	}
	r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "workers_busy", Help: "Attempts in flight.",
		}, func() float64 { return float64(d.Busy()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "memory_deliveries", Help: "Deliveries that this server holds in memory.",
		}, func() float64 { return float64(d.Held()) }),
	)
}

const namespace = "portalhooks"

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counters(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(
		prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

func gauges(name, help, label string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(
		prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(
		prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
}

func histograms(name, help string, buckets []float64, label string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(
		prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, []string{label})
}
