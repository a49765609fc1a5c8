package ledger_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"flowbench/data/ledger"
	"flowbench/data/schema"

	"github.com/google/go-cmp/cmp"
)

// sample is an account of two files with something of everything in it.
func sample(t *testing.T) *ledger.Ledger {
	t.Helper()
	nan := float32(math.NaN())
	b := ledger.NewBuilder([]string{"flow_duration", "flow_bytes/s", "init_win_bytes_forward", "fwd_urg_flags", "copy"},
		[]string{"BENIGN", "Bot", "DDoS"}, schema.AttemptedKeep)

	first := b.File("monday.csv", "79-column")
	first.Lines, first.Blank, first.RepeatedHeaders, first.HeaderLengthTwice = 7, 1, 1, true
	first.Keep(0, false, nil)
	first.Keep(0, false, []ledger.Cell{{Column: 1, Kind: ledger.Infinite}})
	first.Keep(1, true, []ledger.Cell{{Column: 1, Kind: ledger.Blank}})
	first.Drop(0, "not a number", 6)
	b.Observe([]float32{5, 2, -1, 0, 5, 5, nan, -1, 0, 5, -3, nan, 7, 0, -3})

	second := b.File("tuesday.csv", "91-column")
	second.Lines = 4
	second.Keep(0, false, []ledger.Cell{{Column: 0, Kind: ledger.NaN}, {Column: 4, Kind: ledger.NaN}})
	second.Drop(0, "not a number", 3)
	second.Drop(-1, "ragged", 4)
	b.Observe([]float32{nan, -1, -2, 0, nan})

	b.Occur(0, ledger.Occurrence{Features: true, Label: true, Connection: true})
	b.Occur(0, ledger.Occurrence{})
	b.Occur(1, ledger.Occurrence{Label: true, Conflicting: true})
	b.Occur(0, ledger.Occurrence{Features: true, Label: true})
	return b.Ledger()
}

func TestLedger(t *testing.T) {
	l := sample(t)
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	if l.Read != 7 || l.Kept != 4 || l.Dropped != 3 {
		t.Errorf("read %d, kept %d, dropped %d", l.Read, l.Kept, l.Dropped)
	}
	wantLabels := []ledger.Label{
		{Name: "BENIGN", Read: 5, Kept: 3, MissingRows: 2, MissingCells: 3,
			Drops: []ledger.Drop{{Reason: "not a number", Rows: 2, First: "monday.csv:6"}}},
		{Name: "Bot", Read: 1, Kept: 1, Attempted: 1, MissingRows: 1, MissingCells: 1},
		{Name: ledger.Unreadable, Read: 1, Drops: []ledger.Drop{{Reason: "ragged", Rows: 1, First: "tuesday.csv:4"}}},
	}
	if diff := cmp.Diff(wantLabels, l.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	wantColumns := []ledger.Column{
		{Name: "flow_duration", NaN: 1, Negative: 1, Present: 3, Min: -3, Max: 5},
		{Name: "flow_bytes/s", Infinite: 1, Blank: 1, Negative: 1, Present: 2, Min: -1, Max: 2},
		{Name: "init_win_bytes_forward", Negative: 1, Sentinel: 2, Present: 4, Min: -2, Max: 7},
		{Name: "fwd_urg_flags", Present: 4, Constant: true},
		{Name: "copy", NaN: 1, Negative: 1, Present: 3, Min: -3, Max: 5},
	}
	if diff := cmp.Diff(wantColumns, l.Columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"flow_duration", "copy"}}, l.DuplicateColumns); diff != "" {
		t.Errorf("duplicate columns (-want +got):\n%s", diff)
	}
	if d := l.Duplicates; d.Distinct != 2 || d.Repeats != 2 || d.Conflicting != 1 || d.Connections != 1 {
		t.Errorf("duplicates %+v", d)
	}
	if l.MissingCells() != 4 || !cmp.Equal(l.Constants(), []string{"fwd_urg_flags"}) {
		t.Errorf("%d missing cells, constants %v", l.MissingCells(), l.Constants())
	}
}

func TestJSON(t *testing.T) {
	want := sample(t)
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got ledger.Ledger
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got); diff != "" {
		t.Errorf("after JSON (-want +got):\n%s", diff)
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
}

// TestCheckFails changes one number at a time: each must be found and named.
func TestCheckFails(t *testing.T) {
	cases := map[string]func(*ledger.Ledger){
		"rows read in all files":                       func(l *ledger.Ledger) { l.Read++ },
		"rows kept in all files":                       func(l *ledger.Ledger) { l.Kept-- },
		"rows dropped in all files":                    func(l *ledger.Ledger) { l.Dropped++ },
		"monday.csv: header, repeated headers":         func(l *ledger.Ledger) { l.Files[0].Blank++ },
		"monday.csv: BENIGN: rows kept and dropped":    func(l *ledger.Ledger) { l.Files[0].Labels[0].Read++ },
		"tuesday.csv: rows kept of all labels":         func(l *ledger.Ledger) { l.Files[1].Dropped--; l.Files[1].Kept++ },
		"BENIGN: missing cells in all files":           func(l *ledger.Ledger) { l.Labels[0].MissingCells++ },
		"BENIGN: rows with missing cells in all files": func(l *ledger.Ledger) { l.Labels[0].MissingRows-- },
		"Bot: attempted rows in all files":             func(l *ledger.Ledger) { l.Labels[1].Attempted-- },
		"BENIGN: reasons of dropped rows":              func(l *ledger.Ledger) { l.Labels[0].Drops = append(l.Labels[0].Drops, ledger.Drop{Reason: "none"}) },
		"labels that the files have":                   func(l *ledger.Ledger) { l.Labels = l.Labels[:2] },
		"flow_bytes/s: cells present and missing":      func(l *ledger.Ledger) { l.Columns[1].Infinite = 0 },
		"copy: negative cells":                         func(l *ledger.Ledger) { l.Columns[4].Negative = 4 },
		"missing cells of all columns":                 func(l *ledger.Ledger) { l.Columns[4].NaN--; l.Columns[4].Present++ },
		"distinct and repeated rows":                   func(l *ledger.Ledger) { l.Duplicates.Repeats++ },
		"Bot: distinct rows":                           func(l *ledger.Ledger) { l.Duplicates.Labels[1].Rows++ },
		"distinct rows of more than one label":         func(l *ledger.Ledger) { l.Duplicates.Conflicting++ },
	}
	for want, change := range cases {
		l := sample(t)
		change(l)
		if err := l.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v", want, err)
		}
		if err := l.WriteTable(&bytes.Buffer{}); err == nil {
			t.Errorf("%s: the table of a wrong ledger is no error", want)
		}
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := sample(t).WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"monday.csv (79-column)       7          4     3        1                        2",
		"not a number  BENIGN        monday.csv:6              2",
		"init_win_bytes_forward         0    0      0         1               2",
		"constant columns (1): fwd_urg_flags",
		"equal columns: flow_duration = copy",
		"kept rows marked as attempted attacks (policy: keep): 1",
		"repeated rows: 2 of 4",
		"every sum checks\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("table lacks %q:\n%s", want, out.String())
		}
	}
}

// TestEqualColumns compares the partition with the slow comparison of every pair.
func TestEqualColumns(t *testing.T) {
	const cols, rows = 12, 40
	values := make([]float32, rows*cols)
	for i := range rows {
		for j := range cols {
			values[i*cols+j] = float32(i % (j%5 + 2)) // columns of equal j%5 are equal
		}
	}
	names := strings.Split("a b c d e f g h i j k l", " ")
	b := ledger.NewBuilder(names, []string{"BENIGN"}, schema.AttemptedKeep)
	b.Observe(values)
	want := [][]string{{"a", "f", "k"}, {"b", "g", "l"}, {"c", "h"}, {"d", "i"}, {"e", "j"}}
	if diff := cmp.Diff(want, b.Ledger().DuplicateColumns); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEmptyLedger(t *testing.T) {
	l := ledger.NewBuilder([]string{"a", "b"}, []string{"BENIGN"}, schema.AttemptedKeep).Ledger()
	if err := l.Check(); err != nil {
		t.Error(err)
	}
	if len(l.Constants()) != 0 {
		t.Errorf("constant columns of no rows: %v", l.Constants())
	}
}
