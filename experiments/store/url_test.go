package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flowbench/experiments/store"
)

func TestOpen(t *testing.T) {
	folder := t.TempDir()
	held := open(t, filepath.Join(folder, "s.db"))
	if err := held.Create(t.Context(), "a", "f", nil); err != nil {
		t.Fatal(err)
	}
	url, token := serve(t, held)
	file := filepath.Join(folder, "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FLOWBENCH_STORE_TOKEN", token)
	t.Chdir(folder)
	for at, kind := range map[string]string{
		"s.db":                                  "*store.SQLite",
		"./s.db":                                "*store.SQLite",
		filepath.Join(folder, "s.db"):           "*store.SQLite",
		"sqlite:s.db":                           "*store.SQLite",
		"sqlite://" + folder + "/s.db":          "*store.SQLite",
		"file:" + filepath.Join(folder, "s.db"): "*store.SQLite",
		url:                                     "*store.Remote",
		url + "/":                               "*store.Remote",
		url + "?token_file=token":               "*store.Remote",
	} {
		s, err := store.Open(at)
		if err != nil {
			t.Errorf("%s: %v", at, err)
			continue
		}
		if study, err := s.Study(t.Context()); err != nil || study.Name != "a" || fmt.Sprintf("%T", s) != kind {
			t.Errorf("%s is %T with %+v (%v)", at, s, study, err)
		}
		s.Close()
	}
}

func TestOpenPostgresByURL(t *testing.T) {
	s, err := store.Open(newStudy(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, ok := s.(*store.Postgres); !ok {
		t.Errorf("is %T", s)
	}
}

func TestOpenRefusals(t *testing.T) {
	url, token := serve(t, open(t, filepath.Join(t.TempDir(), "s.db")))
	for _, tc := range []struct{ at, token, want string }{
		{"mysql://root:geheim@host/db", "", "no store is known by mysql:, choose a path or sqlite: for a file, postgres:// for a database"},
		{"redis:x", "", "no store is known by redis:"},
		{"postgres://a:geheim@[::1/db", "", "the URL is none"},
		{url, "", "FLOWBENCH_STORE_TOKEN"},
		{url, "geheim", "the token is wrong"},
		{url + "?token_file=/nowhere/token", token, "/nowhere/token"},
		{url + "/runs", token, "http://host:port"},
		{"http://", token, "http://host:port"},
		{"http://127.0.0.1:1", token, "no launcher answers"},
		{"https://" + strings.TrimPrefix(url, "http://"), token, "no launcher answers"},
	} {
		t.Setenv("FLOWBENCH_STORE_TOKEN", tc.token)
		_, err := store.Open(tc.at)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want ...%s...", tc.at, err, tc.want)
		} else if strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), token) {
			t.Errorf("%s: the error shows a secret: %v", tc.at, err)
		}
	}
}

func TestRedacted(t *testing.T) {
	for at, want := range map[string]string{
		"runs/demo/study.db":                  "runs/demo/study.db",
		"postgres://host/db":                  "postgres://host/db",
		"postgres://me:geheim@host/db":        "postgres://me:xxxxx@host/db",
		"postgres://me@host/db?password=gehe": "postgres://me@host/db",
		"postgres://me:ge heim@host:port/db":  "postgres://...",
	} {
		if got := store.Redacted(at); got != want {
			t.Errorf("%s is shown as %s, want %s", at, got, want)
		}
	}
}

func TestForStudy(t *testing.T) {
	for _, tc := range []struct{ at, study, want string }{
		{"runs/demo/study.db", "demo", "runs/demo/study.db"},
		{"http://host:1", "demo", "http://host:1"},
		{"postgres://host/db", "de mo&", "postgres://host/db?study=de+mo%26"},
		{"postgresql://host/db?sslmode=disable", "demo", "postgresql://host/db?sslmode=disable&study=demo"},
		{"postgres://host/db?study=mine", "demo", "postgres://host/db?study=mine"},
	} {
		if got := store.ForStudy(tc.at, tc.study); got != tc.want {
			t.Errorf("%s for %s is %s, want %s", tc.at, tc.study, got, tc.want)
		}
	}
}
