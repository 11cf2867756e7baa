// Package strict reads JSON that is exactly as expected, in one pass and
// without making anything but what is asked for.
//
// It is for requests that are large, frequent and nearly always right. A
// [Reader] says only whether all was as expected; what else it may be, and what
// to tell its sender, is left to a slower reader of the same text.
package strict
