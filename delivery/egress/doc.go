// Package egress makes the calls to receivers: one guarded HTTP POST each.
//
// The URLs are chosen by people who must not reach the server's own network,
// and the receivers behind them are assumed to be hostile. So
//
//   - a Policy says which addresses, ports and schemes may be called. Its
//     ValidateURL refuses a bad URL when it is saved, with a sentence for the
//     person who typed it;
//   - the guard checks every address again at the moment it is dialled, after
//     the name lookup, so a name that changes its address is still checked;
//   - a Client belongs to one Policy and shares no connection with another,
//     ignores proxies named in the environment and follows no redirects;
//   - time, headers and body are limited, and a Result keeps plain UTF-8 text
//     without credentials.
//
// Package http1 speaks HTTP/1.1; a test compares requests and results with
// those of net/http's own client. When many responses are long at once, only the
// beginning of any further one is kept.
//
// Every failure is part of the Result: Do returns no error. A Result has one
// Outcome of a closed list and, unless that is Success, a sentence that is safe
// to show to an organization.
//
// With a Proxy, the proxy looks names up and the guard sees only addresses written
// in URLs. The proxy must then filter addresses.
package egress
