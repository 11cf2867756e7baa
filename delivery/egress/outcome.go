package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"portalhooks/delivery/egress/http1"
)

// An Outcome says how a call ended.
type Outcome string

// The outcomes of a call.
const (
	Success       Outcome = "SUCCESS"        // 2xx
	HTTPError     Outcome = "HTTP_ERROR"     // 4xx, 5xx or a status that HTTP doesn't know
	Redirect      Outcome = "REDIRECT"       // 3xx; not followed
	Timeout       Outcome = "TIMEOUT"        // not finished by the deadline
	DNSError      Outcome = "DNS_ERROR"      // the name has no address that may be called, or can't be looked up
	ConnectError  Outcome = "CONNECT_ERROR"  // no connection: refused, unreachable or too slow
	TLSError      Outcome = "TLS_ERROR"      // no secure connection
	Blocked       Outcome = "BLOCKED"        // refused by the policy; nothing was sent
	ResponseError Outcome = "RESPONSE_ERROR" // not valid HTTP, headers too long, or incomplete
	Canceled      Outcome = "CANCELED"       // the caller's context ended
)

// ofStatus returns the outcome of a complete response, and a sentence unless the
// outcome is Success.
func ofStatus(status int) (Outcome, string) {
	switch {
	case status >= 200 && status < 300:
		return Success, ""
	case status >= 300 && status < 400:
		return Redirect, "The receiver answered " + describe(status) +
			". Redirects are not followed: enter the final address as the target URL."
	case status == http.StatusSwitchingProtocols:
		return ResponseError, "The receiver switched to another protocol instead of answering."
	}
	return HTTPError, "The receiver answered " + describe(status) + "."
}

func describe(status int) string {
	text := strconv.Itoa(status)
	if name := http.StatusText(status); name != "" {
		text += " " + name
	}
	return text
}

// ofFailure returns the outcome of a call that failed with err in step at, and a
// sentence about it. The two contexts distinguish the deadline of the call from
// an end of its caller's context.
func ofFailure(caller, call context.Context, err error, at step, timeout time.Duration) (Outcome, string) {
	switch {
	case errors.Is(err, errBlocked):
		return Blocked, "This address is not allowed."
	case caller.Err() != nil:
		return Canceled, "The call was canceled before it finished."
	case call.Err() != nil:
		return Timeout, "The call did not finish within " + timeout.String() + ": " + at.String() + "."
	}
	if at == preparing {
		return Blocked, "The call can't be sent: the name or the value of a header is not valid."
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return DNSError, ofLookup(dns)
	}
	if at == handshaking || isTLS(err) {
		return TLSError, ofHandshake(err)
	}
	if at < handshaking {
		return ConnectError, ofDial(err)
	}
	return ResponseError, ofResponse(err)
}

func ofLookup(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "The host name has no address that may be called. Check its spelling, and that it can be reached " +
			"from the internet."
	case err.IsTimeout:
		return "The lookup of the host name got no answer in time."
	}
	return "The lookup of the host name failed."
}

func ofDial(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "The receiver refused the connection."
	case errors.Is(err, errProxy):
		return "The receiver could not be reached: the proxy that all calls go through refused this one."
	case errors.As(err, &timeout) && timeout.Timeout():
		return "The receiver did not accept the connection in time."
	}
	return "The receiver could not be reached."
}

// isTLS reports whether err is a TLS alert, which may arrive after the handshake.
func isTLS(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "remote error" || op.Op == "local error")
}

func ofHandshake(err error) string {
	const prefix = "The receiver's certificate is not accepted: "
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return prefix + "it has expired or is not valid yet."
		}
		return prefix + "it is not valid for this use."
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return prefix + "it is for another host name."
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return prefix + "it is signed by an unknown authority."
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "The receiver does not speak TLS on this port."
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err.Error() == "tls: no application protocol" {
		return "The receiver does not speak HTTP/1.1, over which messages are sent."
	}
	return "No secure connection could be made: the TLS handshake failed."
}

func ofResponse(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "The receiver broke the connection off."
	case errors.Is(err, http1.ErrHeaderTooLong):
		return "The receiver's response headers are longer than " + strconv.Itoa(http1.MaxHeaderBytes>>10) +
			" KiB. Configure the receiver to send fewer or shorter headers, for example no cookies."
	}
	return "The receiver's answer is not valid HTTP or ended too early."
}
