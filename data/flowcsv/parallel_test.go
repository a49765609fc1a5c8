package flowcsv_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"flowbench/data/flowcsv"
	"flowbench/data/schema"

	"github.com/google/go-cmp/cmp"
)

// mixedLines is a file of several pieces with all kinds of lines in it, a long
// one of blanks among them, and no last line end.
func mixedLines() string {
	h := schema.RawHeader85
	var text strings.Builder
	text.WriteString(h + "\r\n")
	for i := range 3000 {
		set := cells{"flow_duration": fmt.Sprint(i % 700), "source_port": fmt.Sprint(i % 300), "flow_bytes/s": fmt.Sprintf("%.*f", i%17, float64(i)/7),
			"label": []string{"BENIGN", "DDoS", "Bot"}[i%11%3], "idle_min": fmt.Sprint(-(i % 3))}
		end := "\n"
		switch {
		case i%101 == 3:
			set["flow_packets/s"] = "Infinity"
		case i%103 == 4:
			set["flow_packets/s"] = "many"
		case i%107 == 5:
			text.WriteString("\n,,,\n")
		case i%109 == 6:
			end = "\r\n"
		case i%997 == 7:
			text.WriteString(h + "\n1,2,3\n" + strings.Repeat(" ", 300_000) + "\n")
		case i%991 == 8:
			set["idle_min"] = "1\x00"
		case i%113 == 9:
			set["idle_min"] = `"-7"`
		}
		text.WriteString(flow(h, set) + end)
	}
	text.WriteString(flow(h, nil))
	return text.String()
}

// TestAnyNumberOfThreads reads a file of several pieces from a map and as a
// stream, by one to five threads: values, groups and ledger are the same to the bit.
func TestAnyNumberOfThreads(t *testing.T) {
	text := mixedLines()
	path := filepath.Join(t.TempDir(), "0.csv")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	mapped, err := flowcsv.File(path)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	runtime.GOMAXPROCS(1)
	opt := flowcsv.Options{BadRows: flowcsv.Drop}
	want := mustScan(t, opt, text)
	if len(want.labels) < 2900 || want.ledger.Dropped < 20 || want.ledger.Files[0].RepeatedHeaders < 3 {
		t.Fatalf("%d rows, %d dropped", len(want.labels), want.ledger.Dropped)
	}
	for _, threads := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(threads)
		for _, source := range []flowcsv.Source{mapped, textSource("0.csv", text)} {
			got, err := scan(opt, source, source)
			if err != nil {
				t.Fatal(err)
			}
			half := len(got.labels) / 2
			first := read{features: got.features[:half*got.cols], labels: got.labels[:half]}
			if !equalRead(want, first) || !cmp.Equal(want.groups, got.groups[:half]) {
				t.Errorf("%d threads, path %q: rows differ", threads, source.Path)
			}
			if diff := cmp.Diff(want.ledger.Files[0], got.ledger.Files[1]); diff != "" {
				t.Errorf("%d threads, path %q: ledger of the file (-want +got):\n%s", threads, source.Path, diff)
			}
			if got.ledger.Duplicates.Distinct != want.ledger.Duplicates.Distinct || !cmp.Equal(got.ledger.DuplicateColumns, want.ledger.DuplicateColumns) {
				t.Errorf("%d threads, path %q: %+v", threads, source.Path, got.ledger.Duplicates)
			}
		}
		if _, err := scan(flowcsv.Options{}, mapped); err == nil || err.Error() != path+`:6: field 22 (flow_packets/s): "many" is not a number; correct the line, or have bad rows dropped` {
			t.Errorf("%d threads: error is %v", threads, err)
		}
	}
}

// TestFirstErrorWins puts two errors into different pieces: the one that comes first in the file is told.
func TestFirstErrorWins(t *testing.T) {
	h := schema.RawHeader79
	good := strings.Repeat(flow(h, nil)+"\n", 4000)
	text := h + "\n" + good + "1,2\n" + good + flow(h, cells{"idle_min": "x"}) + "\n"
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := flowcsv.File(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := scan(flowcsv.Options{}, source); err == nil || !strings.Contains(err.Error(), ":4002: 2 fields") {
			t.Errorf("error is %v", err)
		}
	}
	source.Path = ""
	source.Name = "long.csv"
	if err := os.WriteFile(path, append([]byte(h+"\n"+good), bytes.Repeat([]byte("1"), 3<<20)...), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := scan(flowcsv.Options{}, source); err == nil || !strings.Contains(err.Error(), "long.csv:4002: the line is longer than") {
		t.Errorf("error is %v", err)
	}
}

// TestGivenColumns reads a table of another schema, and says what does not fit it.
func TestGivenColumns(t *testing.T) {
	source := textSource("a.csv", " B, A,Label,row\n1,2.5,BENIGN,0\n3,inf,Infiltration,1\n1,2.5,BENIGN,2\n")
	names, err := flowcsv.FeatureColumns(source)
	if err != nil || strings.Join(names, " ") != "b a row" {
		t.Errorf("columns %q, %v", names, err)
	}
	r, err := scan(flowcsv.Options{Columns: []string{"a", "b"}, IgnoreColumns: []string{"Row"}}, source)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.features, r.labels, r.groups, r.ledger.Files[0].Form); got != "[2.5 1 NaN 3 2.5 1] [BENIGN Infiltration BENIGN] [0 1 0]given columns" {
		t.Errorf("read %s", got)
	}
	for name, c := range map[string]struct {
		opt        flowcsv.Options
		text, want string
	}{
		"unknown": {flowcsv.Options{Columns: []string{"a"}}, "b,a,label\n1,2,BENIGN\n", `0.csv:1: column 1 "b" is none of the 1 given ones`},
		"missing": {flowcsv.Options{Columns: []string{"a", "b"}}, "a,label\n1,BENIGN\n", "0.csv:1: missing: b"},
		"label":   {flowcsv.Options{Columns: []string{"a"}}, "a\n1\n", "0.csv:1: missing: label"},
		"twice":   {flowcsv.Options{Columns: []string{"a"}}, "a,A,label\n1,1,BENIGN\n", `0.csv:1: column "A" comes twice`},
		"extras":  {flowcsv.Options{Columns: []string{"a"}, Extras: true}, "", "columns: given ones have no extra columns"},
		"names":   {flowcsv.Options{Columns: []string{"A"}}, "", `columns: 1 is "A", which is no normalised name`},
		"repeat":  {flowcsv.Options{Columns: []string{"a", "a"}}, "", `columns: "a" comes twice`},
	} {
		if _, err := scan(c.opt, textSource("0.csv", c.text)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %s", name, err, c.want)
		}
	}
	if _, err := flowcsv.FeatureColumns(textSource("a.csv", "label\n")); err == nil || !strings.HasPrefix(err.Error(), "a.csv:1: columns: none but the label") {
		t.Errorf("error is %v", err)
	}
}
