package ent

// Upserts make registering from ingest safe against races; raw statements run
// inside ent's transactions where a statement belongs to the queue.
//go:generate go tool ent generate --feature sql/upsert,sql/execquery --target gen ./schema
