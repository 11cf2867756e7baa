// Package cache keeps what the pipeline looks up in the store for every event, so
// that an event about known things costs no query: the registered organizations
// and items, the organizations' webhooks with their opened targets, and the
// compiled templates. Every cache is bounded.
package cache
