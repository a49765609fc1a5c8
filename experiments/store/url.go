package store

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// tokenVariable and tokenParameter are where a worker finds the token of the
// launcher that serves its store.
const (
	tokenVariable  = "FLOWBENCH_STORE_TOKEN"
	tokenParameter = "token_file"
	studyParameter = "study"
)

// Open opens the store at a URL:
//
//	runs/demo/study.db, sqlite:runs/demo/study.db   a file on this machine
//	postgres://user@host/database?study=demo        a schema of a PostgreSQL database
//	http://host:port?token_file=PATH                what a launcher serves
//
// PostgreSQL's passwords are best left to PGPASSWORD or ~/.pgpass. The launcher's
// token is read from the file, or else from FLOWBENCH_STORE_TOKEN.
func Open(at string) (Store, error) {
	scheme, rest, found := strings.Cut(at, ":")
	if !found || strings.ContainsAny(scheme, `/\`) || len(scheme) < 2 {
		return OpenSQLite(at)
	}
	switch scheme {
	case "sqlite", "file":
		return OpenSQLite(strings.TrimPrefix(rest, "//"))
	case "postgres", "postgresql":
		return OpenPostgres(at)
	case "http", "https":
		return openWithToken(at)
	}
	return nil, fmt.Errorf("store %s: no store is known by %s:, choose a path or sqlite: for a file, postgres:// for a database, http:// or https:// for what a launcher serves", Redacted(at), scheme)
}

// openWithToken opens what a launcher serves with the token that the URL or the
// environment leads to.
func openWithToken(at string) (Store, error) {
	u, err := parse(at)
	if err != nil {
		return nil, err
	}
	token := os.Getenv(tokenVariable)
	if path := u.Query().Get(tokenParameter); path != "" {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("store %s: its token: %w", Redacted(at), err)
		}
		token = strings.TrimSpace(string(raw))
	}
	if token == "" {
		return nil, fmt.Errorf("store %s: it asks for a token: put the one that its launcher wrote in %s, or its file in the URL as ?%s=PATH", Redacted(at), tokenVariable, tokenParameter)
	}
	return OpenRemote(at, token)
}

// ForStudy is the URL of a study's own part of a store, where that is a database
// that holds many and the URL names none.
func ForStudy(at, study string) string {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Query().Has(studyParameter) {
		return at
	}
	u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+url.Values{studyParameter: {study}}.Encode(), "&")
	return u.String()
}

// parse is url.Parse with errors that do not quote what may hold a password.
func parse(at string) (*url.URL, error) {
	u, err := url.Parse(at)
	var quoted *url.Error
	if errors.As(err, &quoted) {
		err = quoted.Err
	}
	if err != nil {
		return nil, fmt.Errorf("store: the URL is none: %w (a password's special characters are written %%XX)", err)
	}
	return u, nil
}

// Redacted is a store's URL as it may be shown: without passwords.
func Redacted(at string) string {
	scheme, _, found := strings.Cut(at, "://")
	if !found {
		return at
	}
	u, err := url.Parse(at)
	if err != nil {
		return scheme + "://..."
	}
	query := u.Query()
	for _, secret := range []string{"password", "sslpassword"} {
		query.Del(secret)
	}
	u.RawQuery = query.Encode()
	return u.Redacted()
}
