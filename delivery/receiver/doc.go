// Package receiver simulates the systems that webhooks are sent to, so that
// templates, retries and success rules can be tried without a network.
//
// A Simulator is an http.Handler. Each of its paths behaves like one kind of
// receiver: one that accepts everything, one that is slow, one that limits
// the rate, one that says yes and means no. What it received last can be read
// at /requests, with the verdict on each signature.
//
// It keeps everything in memory, within bounds, and shows whole requests to
// anybody who asks. It belongs on a loopback address.
package receiver
