package auth

import (
	"html/template"
	"net/http"

	"portalhooks/delivery"
)

// A notice is a page with a single message.
type notice struct{ Title, Text, Link, Label string }

var noticePage = template.Must(template.New("notice").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}} - Portalhooks</title>
<link rel="stylesheet" href="/index.css">
</head>
<body>
<h1>{{.Title}}</h1>
{{if .Text}}<p>{{.Text}}</p>{{end}}
{{if .Link}}<p><a href="{{.Link}}">{{.Label}}</a></p>{{end}}
</body>
</html>
`))

func writeNotice(w http.ResponseWriter, status int, n notice) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = noticePage.Execute(w, n) // fails only if the client has disconnected
}

// reject shows why signing in or out has failed.
func (s *SignIn) reject(w http.ResponseWriter, r *http.Request, err error) {
	n := notice{Title: "You are not signed in", Link: "/auth/sign-in", Label: "Sign in"}
	status := http.StatusForbidden
	switch delivery.CodeOf(err) {
	case "":
		s.o.Provider.log.ErrorContext(r.Context(), "sign in or out", "err", err)
		status, n.Text = http.StatusInternalServerError, "Something went wrong on the server. Try again."
	case delivery.Unavailable:
		status, n.Text = http.StatusServiceUnavailable, err.Error()
	case delivery.Invalid:
		status, n.Text = http.StatusBadRequest, err.Error()
	case delivery.Forbidden: // a retry would fail too
		n.Text, n.Link, n.Label = err.Error(), "/", "Back to the start"
	default:
		n.Text = err.Error()
	}
	writeNotice(w, status, n)
}
