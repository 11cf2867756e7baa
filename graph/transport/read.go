package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// read decodes the GraphQL request in an HTTP request, in memory that it takes as
// the request arrives. It returns the request with the context to execute it in,
// or an error and its status.
func (t httpTransport) read(
	w http.ResponseWriter, r *http.Request, accept accepted, memory *reservation,
) (context.Context, *parameters, int, *gqlerror.Error) {
	start := time.Now()
	ctx := r.Context()
	var params *parameters
	var err *gqlerror.Error
	switch r.Method {
	case http.MethodPost:
		data, status, refused := t.readBody(w, r, memory)
		if refused != nil {
			return nil, nil, status, refused
		}
		ctx, params, err = t.h.decodeBody(ctx, data, memory)
	case http.MethodGet:
		if !accept.events && r.Header.Get("Cookie") != "" {
			return nil, nil, http.StatusMethodNotAllowed, coded(CodeBadInput, "Requests must be sent by POST.")
		}
		params, err = paramsOfURL(r.URL.Query())
	default:
		return nil, nil, http.StatusMethodNotAllowed, coded(CodeBadInput, "Requests must be sent by POST.")
	}
	switch {
	case err == nil:
	case codeOf(err) == CodeUnavailable:
		return nil, nil, http.StatusServiceUnavailable, err
	default:
		return nil, nil, http.StatusBadRequest, err
	}
	params.ReadTime = graphql.TraceTiming{Start: start, End: time.Now()}
	return ctx, params, http.StatusOK, nil
}

// errNoMemory says that requests take all the memory there is for them, or all of
// the caller's share.
func errNoMemory() *gqlerror.Error {
	return later(coded(CodeUnavailable, "The server is overloaded with request bodies. Try again."))
}

func (t httpTransport) readBody(
	w http.ResponseWriter, r *http.Request, memory *reservation,
) ([]byte, int, *gqlerror.Error) {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != typeJSON || !isUTF8(params) {
		return nil, http.StatusUnsupportedMediaType,
			coded(CodeBadInput, "The Content-Type of the request must be application/json.")
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		w.Header().Set("Accept-Encoding", "identity")
		return nil, http.StatusUnsupportedMediaType,
			coded(CodeBadInput, "The request must be sent without a Content-Encoding.")
	}
	limit := t.h.opts.BodyLimit(r.Context())
	tooLarge := coded(CodeLimit, "The request body is longer than "+strconv.FormatInt(limit, 10)+" bytes.")
	if r.ContentLength > limit {
		if !awaitsContinue(r) {
			discard(w, r.Body, limit)
		}
		return nil, http.StatusRequestEntityTooLarge, tooLarge
	}
	size := limit
	if r.ContentLength >= 0 {
		size = r.ContentLength
	}
	data, err := readAll(http.MaxBytesReader(w, r.Body, limit), size, memory)
	_, over := errors.AsType[*http.MaxBytesError](err)
	switch {
	case over:
		discard(w, r.Body, limit)
		return nil, http.StatusRequestEntityTooLarge, tooLarge
	case errors.Is(err, errPoolFull):
		return nil, http.StatusServiceUnavailable, errNoMemory()
	case err != nil:
		return nil, http.StatusBadRequest, coded(CodeBadInput, "The request body is incomplete.")
	}
	return data, http.StatusOK, nil
}

// How much of a body that is too long is read on: so many times the limit, for so
// long.
const (
	discardTimes = 8
	discardTime  = 5 * time.Second
)

// discard reads on a body that is too long. Many clients write all of a request
// before they read the answer: if the connection were closed before, they would see
// a broken connection instead of the reason.
func discard(w http.ResponseWriter, body io.Reader, limit int64) {
	// Not every ResponseWriter has deadlines; those of net/http do.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(discardTime))
	_, _ = io.CopyN(io.Discard, body, discardTimes*limit) // it is refused in any case
}

// awaitsContinue reports whether the client sends its body only if it is asked to.
func awaitsContinue(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Expect"), "100-continue")
}

// firstRead is the buffer that a body gets before any of it has arrived.
const firstRead = 4 << 10

var errPoolFull = errors.New("there is no memory for the request")

// readAll reads r, which has size bytes at most, into a buffer that grows with what
// has arrived: a client that sends nothing takes next to nothing.
func readAll(r io.Reader, size int64, memory *reservation) ([]byte, error) {
	var data []byte
	for {
		if len(data) == cap(data) {
			grown := min(max(2*int64(cap(data)), firstRead), size+1) // one more, to meet the end
			if !memory.more(grown - int64(cap(data))) {
				return nil, errPoolFull
			}
			data = append(make([]byte, 0, grown), data...)
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			return nil, err
		}
	}
}

// paramsOfURL decodes a GraphQL request from the query of a URL.
func paramsOfURL(values map[string][]string) (*parameters, *gqlerror.Error) {
	var r request
	for _, name := range []string{"query", "operationName", "variables", "extensions"} {
		given := values[name]
		if len(given) == 0 || given[0] == "" {
			continue
		}
		if len(given) > 1 {
			return nil, coded(CodeBadInput, "The request has "+name+" twice.")
		}
		var err *gqlerror.Error
		switch name {
		case "query":
			r.Query = &given[0]
		case "operationName":
			r.OperationName = &given[0]
		case "variables":
			err = decode([]byte(given[0]), &r.Variables)
			r.Variables = bytes.TrimSpace(r.Variables)
		case "extensions":
			err = decode([]byte(given[0]), &r.Extensions)
		}
		if err != nil {
			return nil, coded(CodeBadInput, "The parameter "+name+" must be a JSON object.")
		}
	}
	return r.parameters()
}
