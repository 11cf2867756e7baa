// Package egress makes the calls to receivers: one guarded HTTP POST each.
//
// The URLs are chosen by people who must not reach the server's own network,
// and the receivers behind them are assumed to be hostile. So
//
//   - a Policy says which addresses, ports and schemes may be called. Its
//     ValidateURL refuses a bad URL when it is saved, with a sentence for the
//     person who typed it;
//   - the guard checks every address again at the moment it is dialled, after
//     the name lookup, so a name that changes its address gains nothing;
//   - a Client belongs to one Policy and shares no connection with another,
//     ignores proxies named in the environment and follows no redirects;
//   - time, headers and body are bounded, and what is kept of an answer is
//     plain UTF-8 text.
//
// Calls go over HTTP/1.1, on the caller's goroutine, with the answer parsed by
// net/http; a test compares what is sent and understood with net/http's own
// client. A head is parsed when all of it has come. When many answers are long
// at once, little is kept of more.
//
// Whatever goes wrong is part of the Result: Do returns no error. Every result
// has one Outcome of a closed list and, unless it is a success, a sentence
// that is safe to show to an organization.
//
// With a proxy set, names are looked up by the proxy and the guard sees only
// addresses written in URLs. The proxy must then do the filtering.
package egress
