package receiver

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"portalhooks/delivery/loop"
	"portalhooks/delivery/signature"
)

// MaxSlow is the longest delay of /slow.
const MaxSlow = 60 * time.Second

// A route is one simulated receiver.
type route struct {
	name    string // first segment of the path
	example string
	about   string
	do      func(r *http.Request, rest string, body []byte) response
}

func (s *Simulator) behaviours() []route {
	return []route{
		{"echo", "/echo/any/name", "accepts every call and returns its body", echo},
		{"status", "/status/500", "responds with any status from 200 to 599", status},
		{"slow", "/slow?ms=5000", "accepts after a delay of up to 60000 ms", slow},
		{"gone", "/gone", "responds with 410: the webhook should be disabled", gone},
		{"ratelimit", "/ratelimit?every=2&after=1", "rejects every n-th call with 429, Retry-After", s.rateLimit},
		{"flaky", "/flaky?failures=2", "fails the first calls of each webhook-id, then accepts", s.fail},
		{"teams", "/teams", "responds with 200 and an error in the body, like the Teams connector", teams},
		{"servicenow", "/servicenow", "responds with 201 and a ticket number, like ServiceNow", s.serviceNow},
		{"redirect", "/redirect", "redirects (302) to /echo, which must not be followed", redirect},
	}
}

// respond runs the route named by the first segment of r's path. The rest of the
// path distinguishes receivers of the same kind.
func (s *Simulator) respond(r *http.Request, body []byte) response {
	name, rest, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	for _, route := range s.routes {
		if route.name == name && (rest == "" || name == "status" || name == "echo") {
			return route.do(r, rest, body)
		}
	}
	return text(http.StatusNotFound, s.listing())
}

func (s *Simulator) listing() string {
	var b strings.Builder
	b.WriteString("There is no such simulated receiver. Use one of these:\n\n")
	for _, route := range s.routes {
		fmt.Fprintf(&b, "%-28s %s\n", route.example, route.about)
	}
	fmt.Fprintf(&b, "%-28s %s\n", "GET /requests?after=0",
		"lists the latest requests; also path=/echo and limit=100")
	fmt.Fprintf(&b, "%-28s %s", "DELETE /requests", "clears the list")
	return b.String()
}

func echo(_ *http.Request, _ string, body []byte) response {
	// Never the sender's content type: a browser would run a script on the server's
	// origin.
	if json.Valid(body) {
		return response{status: http.StatusOK, kind: "application/json", body: body}
	}
	return response{status: http.StatusOK, kind: plainText, body: body}
}

func status(_ *http.Request, rest string, _ []byte) response {
	code, err := strconv.Atoi(rest)
	if err != nil || code < 200 || code > 599 {
		return text(http.StatusBadRequest, "The path must name a status from 200 to 599, as in /status/503.")
	}
	return text(code, strings.TrimSpace(rest+" "+http.StatusText(code)))
}

func slow(r *http.Request, _ string, _ []byte) response {
	ms, ok := number(r, "ms", 1000)
	if !ok {
		return badNumber("ms")
	}
	delay := min(time.Duration(ms)*time.Millisecond, MaxSlow)
	if !loop.Sleep(r.Context(), delay) {
		return text(http.StatusServiceUnavailable, "The call was canceled during the delay.")
	}
	return text(http.StatusOK, "Accepted after "+delay.String()+".")
}

func gone(*http.Request, string, []byte) response {
	return text(http.StatusGone, "This receiver is gone.")
}

func (s *Simulator) rateLimit(r *http.Request, _ string, _ []byte) response {
	every, ok := number(r, "every", 2)
	if !ok || every == 0 {
		return badNumber("every")
	}
	after, ok := number(r, "after", 1)
	if !ok {
		return badNumber("after")
	}
	if s.count(&s.limited)%every != 0 {
		return text(http.StatusOK, "Accepted.")
	}
	reply := text(http.StatusTooManyRequests, "Too many requests.")
	reply.header = map[string]string{"Retry-After": strconv.Itoa(after)}
	return reply
}

func (s *Simulator) fail(r *http.Request, _ string, _ []byte) response {
	times, ok := number(r, "failures", 1)
	if !ok {
		return badNumber("failures")
	}
	call := s.flaky.call(r.Header.Get(signature.HeaderID))
	if call <= times {
		return text(http.StatusInternalServerError, fmt.Sprintf("Failing call %d of %d.", call, times))
	}
	return text(http.StatusOK, fmt.Sprintf("Accepted call %d.", call))
}

func teams(*http.Request, string, []byte) response {
	return text(http.StatusOK, "Webhook message delivery failed with error: "+
		"Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=0.")
}

func (s *Simulator) serviceNow(*http.Request, string, []byte) response {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails: the program crashes if there is no randomness
	key := hex.EncodeToString(id)
	number := fmt.Sprintf("INC%07d", 10000+s.count(&s.tickets))
	return response{
		status: http.StatusCreated, kind: "application/json",
		header: map[string]string{"Location": "servicenow/" + key},
		body:   fmt.Appendf(nil, `{"result":{"number":%q,"sys_id":%q}}`, number, key),
	}
}

func redirect(*http.Request, string, []byte) response {
	reply := text(http.StatusFound, "Found.")
	reply.header = map[string]string{"Location": "echo"} // relative, to work below any path
	return reply
}

const maxNumber = 1_000_000

// number parses an integer parameter of r's query.
func number(r *http.Request, name string, fallback int) (int, bool) {
	value := r.URL.Query().Get(name)
	if value == "" {
		return fallback, true
	}
	n, err := strconv.Atoi(value)
	return n, err == nil && n >= 0 && n <= maxNumber
}

func badNumber(name string) response {
	return text(http.StatusBadRequest, fmt.Sprintf("%q must be an integer from 0 to %d.", name, maxNumber))
}
