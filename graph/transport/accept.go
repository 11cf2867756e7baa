package transport

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The media types of responses.
const (
	typeGraphQL = "application/graphql-response+json"
	typeJSON    = "application/json"
	typeEvents  = "text/event-stream"
)

// accepted is what a client accepts.
type accepted struct {
	json   string // typeGraphQL or typeJSON; "" if the client accepts neither
	events bool   // the client accepts text/event-stream
}

// accepts parses the Accept headers of r. A client that sends none is a legacy
// client, which accepts application/json.
func accepts(r *http.Request) accepted {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return accepted{json: typeJSON}
	}
	var a accepted
	var best float64
	offer := func(mediaType string, quality float64) {
		if quality > best || quality == best && a.json == typeJSON && mediaType == typeGraphQL {
			a.json, best = mediaType, quality
		}
	}
	for part := range strings.SplitSeq(header, ",") {
		mediaType, params, err := mime.ParseMediaType(part)
		quality := qualityOf(params)
		if err != nil || quality <= 0 || !isUTF8(params) {
			continue
		}
		switch mediaType {
		case typeGraphQL, typeJSON:
			offer(mediaType, quality)
		case "*/*", "application/*":
			if a.json == "" {
				offer(typeJSON, quality)
			}
		case typeEvents:
			a.events = true
		}
	}
	return a
}

// qualityOf returns the q parameter of an Accept entry; 0 if it is invalid.
func qualityOf(params map[string]string) float64 {
	q, named := params["q"]
	if !named {
		return 1
	}
	quality, err := strconv.ParseFloat(q, 64)
	if err != nil || quality > 1 {
		return 0
	}
	return quality
}

func isUTF8(params map[string]string) bool {
	charset, named := params["charset"]
	return !named || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}
