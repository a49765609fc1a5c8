// Package page writes what people look at after a sweep, and before one: a
// study, or the flows themselves, as one HTML file that opens without a network,
// a server or a second file. All figures are made here and below, in Go; the
// page in web/, whose built form is in dist/, only chooses, sorts and draws.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
)

//go:embed dist/page.js
var script string

//go:embed dist/page.css
var style string

// Live is where a page that follows a sweep hears of it; the zero value is a
// page that stands as it is.
type Live struct {
	Document string // the address of the document
	Events   string // the address of the events
}

// shell is the file around the script, which finds its document in #document, or
// where there is none at the address that #live names.
var shell = template.Must(template.New("shell").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="{{.Policy}}">
<title>{{.Title}}</title>
<link rel="icon" href="data:,">
<style>{{.Style}}</style>
</head>
<body>
<noscript><p>This page draws its charts with JavaScript, all of which is in this file. Allow it to run, or read comparison.txt in the study's folder.</p></noscript>
<div id="page" aria-busy="true"></div>
{{.Document}}
<script type="module">{{.Script}}</script>
</body>
</html>
`))

// Link is a line of an index.
type Link struct{ Address, Name, Text string }

// index lists pages; it needs no script.
var index = template.Must(template.New("index").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<link rel="icon" href="data:,">
<style>{{.Style}}</style>
</head>
<body>
<div id="page"><main>
<h1>{{.Title}}</h1>
<ul class="index">{{range .Links}}<li><a href="{{.Address}}">{{.Name}}</a> <span class="note">{{.Text}}</span></li>{{end}}</ul>
</main></div>
</body>
</html>
`))

// WriteIndex writes a page of links.
func WriteIndex(w io.Writer, title string, links []Link) error {
	if err := index.Execute(w, map[string]any{"Title": title, "Links": links, "Style": template.CSS(style)}); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// Policy is the content security policy of a page: nothing is loaded but what is
// in the file, whose only script is the one of this hash. Charts carry style
// attributes. connect is from where a live page may hear: 'self' or 'none'.
func Policy(connect string) string {
	sum := sha256.Sum256([]byte(script))
	return fmt.Sprintf("default-src 'none'; script-src 'sha256-%s'; style-src 'unsafe-inline'; img-src data:; connect-src %s; base-uri 'none'; form-action 'none'",
		base64.StdEncoding.EncodeToString(sum[:]), connect)
}

// Write writes the file that shows document, a *Study or a *Flows.
func Write(w io.Writer, title string, document any) error {
	raw, err := json.Marshal(document) // escapes <, > and &, so that no text ends the element
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return write(w, title, "'none'", "document", raw)
}

// WriteLive writes the page that fetches its document from a server, and follows it.
func WriteLive(w io.Writer, title string, live Live) error {
	raw, err := json.Marshal(map[string]string{"document": live.Document, "events": live.Events})
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return write(w, title, "'self'", "live-source", raw)
}

func write(w io.Writer, title, connect, id string, raw []byte) error {
	var b bytes.Buffer
	err := shell.Execute(&b, map[string]any{
		"Title":    title,
		"Policy":   Policy(connect),
		"Style":    template.CSS(style), // ours, as is the script
		"Script":   template.JS(script),
		"Document": template.HTML(fmt.Sprintf(`<script type="application/json" id="%s">%s</script>`, id, raw)),
	})
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}
