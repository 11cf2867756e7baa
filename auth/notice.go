package auth

import (
	"html/template"
	"net/http"

	"portalhooks/delivery"
)

// A note is a page that says one thing.
type note struct{ Title, Text, Link, Label string }

var notePage = template.Must(template.New("note").Parse(`<!doctype html>
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

func showNote(w http.ResponseWriter, status int, n note) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = notePage.Execute(w, n) // fails only when nobody is there to read it
}

// refuse tells a person why signing in, or out, did not work.
func (s *SignIn) refuse(w http.ResponseWriter, r *http.Request, err error) {
	n := note{Title: "You are not signed in", Link: "/auth/sign-in", Label: "Sign in"}
	status := http.StatusForbidden
	switch delivery.CodeOf(err) {
	case "":
		s.o.Provider.log.ErrorContext(r.Context(), "sign somebody in or out", "err", err)
		status, n.Text = http.StatusInternalServerError, "Something went wrong on the server. Try again."
	case delivery.Unavailable:
		status, n.Text = http.StatusServiceUnavailable, err.Error()
	case delivery.Invalid:
		status, n.Text = http.StatusBadRequest, err.Error()
	case delivery.Forbidden: // trying again would not change it
		n.Text, n.Link, n.Label = err.Error(), "/", "Back to the start"
	default:
		n.Text = err.Error()
	}
	showNote(w, status, n)
}
