package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"flowbench/experiments/page/pagetest"
)

var drawnShape = pagetest.Shape{Configurations: 2, Replicates: 2, Epochs: 2, Rows: 1000}

func TestCompareWritesAPage(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	pagetest.Study(t, a, drawnShape, 0).Close()
	pagetest.Study(t, b, drawnShape, 0).Close()
	path := filepath.Join(dir, "report.html")
	code, out, log := flowbench(t, "compare", a, b, "--html", path)
	if code != 0 || !strings.Contains(out, path) {
		t.Fatalf("exit code %d:\n%s%s", code, out, log)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(raw, []byte("<!doctype html>")) || bytes.Count(raw, []byte(`"baseline":true`)) != 6 {
		t.Errorf("the page of two studies has %d bytes and %d baselines", len(raw), bytes.Count(raw, []byte(`"baseline":true`)))
	}
	if outside := regexp.MustCompile(`(src|href)="?https?:`).Find(raw); outside != nil {
		t.Errorf("the page asks the network for %s", outside)
	}
}

// TestPagesOfDifferentFlows: two studies whose flows differ share a page only where
// that is asked for; a condition keeps configurations out, and the page says nothing of them.
func TestPagesOfDifferentFlows(t *testing.T) {
	dir := t.TempDir()
	a, b, path := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "report.html")
	pagetest.Study(t, a, drawnShape, 0).Close()
	pagetest.Study(t, b, drawnShape, 0).Close()
	if err := os.WriteFile(filepath.Join(b, "flows.sha256"), []byte(strings.Repeat("b", 64)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile(filepath.Join(a, "flows.sha256"))
	if err != nil {
		t.Fatal(err)
	}
	code, _, log := flowbench(t, "compare", a, b, "--html", path)
	if code != 1 || !strings.Contains(log, string(known[:12])) || !strings.Contains(log, "bbbbbbbbbbbb") || !strings.Contains(log, "--different-data") {
		t.Errorf("exit code %d: %s", code, log)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refused report left a file")
	}
	if code, _, log := flowbench(t, "compare", a, b, "--different-data", "--where", "!baseline=true", "--html", path); code != 0 {
		t.Fatalf("exit code %d: %s", code, log)
	}
	raw, err := os.ReadFile(path)
	if err != nil || bytes.Contains(raw, []byte(`"baseline":true`)) || !bytes.Contains(raw, []byte(`"name":"synthetic-sweep/dnn-1"`)) || !bytes.Contains(raw, []byte(`"pairs":{"best":`)) {
		t.Errorf("%v; the page holds baselines: %v", err, bytes.Contains(raw, []byte(`"baseline":true`)))
	}
	for _, other := range []string{"--json", "--csv=x", "--parquet=x", "--sort=-ap"} {
		if code, _, log := flowbench(t, "compare", a, other, "--html", path); code != 2 || !strings.Contains(log, strings.Split(other, "=")[0]) {
			t.Errorf("%s beside --html: exit code %d: %s", other, code, log)
		}
	}
}

// TestCompareWritesRows reads both files back: as many rows, and the same values.
func TestCompareWritesRows(t *testing.T) {
	dir := t.TempDir()
	a := filepath.Join(dir, "a")
	pagetest.Study(t, a, drawnShape, 0).Close()
	code, out, log := flowbench(t, "compare", a, "--csv", filepath.Join(dir, "rows.csv"), "--parquet", filepath.Join(dir, "rows.parquet"))
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, log)
	}
	for _, want := range []string{" is in front: test.average_precision ", "The best trivial baseline, ", "What matters for validation.average_precision: 2 configurations cannot tell"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, line := range strings.Split(out, "\n") {
		if utf8.RuneCountInString(line) > pipeWidth && strings.Contains(line, "  ") {
			t.Errorf("a line of a table has %d characters: %s", utf8.RuneCountInString(line), line)
		}
	}
	file, err := os.Open(filepath.Join(dir, "rows.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Name string   `parquet:"configuration"`
		Seed uint64   `parquet:"seed"`
		AP   *float64 `parquet:"test.average_precision,optional"`
	}
	rows, err := parquet.ReadFile[row](filepath.Join(dir, "rows.parquet"))
	if err != nil || len(rows) != len(lines)-1 || len(rows) != 10 {
		t.Fatalf("%d rows, %d lines, %v", len(rows), len(lines), err)
	}
	at := func(name string) int { return slices.Index(lines[0], name) }
	for i, r := range rows {
		line := lines[i+1]
		if r.Name != line[at("configuration")] || strconv.FormatUint(r.Seed, 10) != line[at("seed")] || strconv.FormatFloat(*r.AP, 'g', -1, 64) != line[at("test.average_precision")] {
			t.Errorf("row %d is %+v in Parquet, %v in CSV", i, r, line)
		}
	}
	if code, _, log := flowbench(t, "compare", a, "--parquet", filepath.Join(dir, "no", "rows.parquet")); code != 1 || !strings.Contains(log, "--parquet") {
		t.Errorf("exit code %d: %s", code, log)
	}
}

func TestPagesThatCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	empty, done := filepath.Join(dir, "empty"), filepath.Join(dir, "done")
	pagetest.Study(t, empty, drawnShape, 10).Close()
	pagetest.Study(t, done, drawnShape, 0).Close()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no trial is done":  {[]string{"compare", empty, "--html", filepath.Join(dir, "x.html")}, []string{"no trial that is done", "flowbench sweep", "flowbench runs"}},
		"no such folder":    {[]string{"compare", done, "--html", filepath.Join(dir, "no", "x.html")}, []string{"--html"}},
		"no study":          {[]string{"serve", dir}, []string{"is no study"}},
		"a short token":     {[]string{"serve", done, "--token-file", token}, []string{"16 characters"}},
		"no token file":     {[]string{"serve", done, "--token-file", token + "s"}, []string{"--token-file"}},
		"no such interface": {[]string{"serve", done, "--listen", "192.0.2.7:0"}, []string{"--listen"}},
	} {
		code, out, log := flowbench(t, c.args...)
		if code != 1 {
			t.Errorf("%s: exit code %d:\n%s", name, code, out)
		}
		for _, want := range c.want {
			if !strings.Contains(log, want) {
				t.Errorf("%s: %q lacks %q", name, log, want)
			}
		}
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*.html")); len(found) > 0 {
		t.Errorf("a refused report left %v", found)
	}
}

func TestInspectWritesAPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flows.html")
	code, out, log := flowbench(t, "data", "inspect", "synth://infiltration?rows=2000", "--html", path)
	if code != 0 {
		t.Fatalf("exit code %d:\n%s%s", code, out, log)
	}
	if raw, err := os.ReadFile(path); err != nil || !bytes.Contains(raw, []byte(`"kind":"flows"`)) {
		t.Errorf("no page of flows: %v", err)
	}
}

// said collects what a command prints while it runs.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestServeEndsWhenToldTo serves on all addresses, with a token, as Ctrl-C ends it.
func TestServeEndsWhenToldTo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "study")
	pagetest.Study(t, dir, drawnShape, 0).Close()
	ctx, cancel := context.WithCancel(t.Context())
	out := &said{}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"flowbench", "serve", dir, "--listen", ":0"}, out, out) }()
	address := ""
	for end := time.Now().Add(2 * time.Minute); address == "" && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		address = regexp.MustCompile(`http://\S+token=[0-9a-f]{32}`).FindString(out.String())
	}
	port := regexp.MustCompile(`:(\d+)/`).FindStringSubmatch(address)
	if port == nil {
		t.Fatalf("no address and no token in %q", out)
	}
	for path, want := range map[string]int{"/study/0/": http.StatusUnauthorized, "/study/0/?" + address[strings.Index(address, "token="):]: http.StatusOK} {
		answer, err := newClient(t).Get("http://127.0.0.1:" + port[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, answer.StatusCode, want)
		}
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("it does not end")
	}
}

// newClient keeps cookies, as browsers do.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}
