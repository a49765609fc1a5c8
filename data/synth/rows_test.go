package synth_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"flowbench/data/schema"
	"flowbench/data/synth"
)

// table is the rows of one CSV: numbers by column of the raw header, and labels.
type table struct {
	cells  [][]float64
	labels []string
}

// columnOf is the place of each canonical column in the raw header.
var columnOf = func() map[string]int {
	index := make(map[string]int)
	for i, raw := range strings.Split(schema.RawHeader79, ",") {
		if name := schema.Normalize(raw); index[name] == 0 {
			index[name] = i
		}
	}
	return index
}()

// secondHeaderLength is where the raw header repeats Fwd Header Length.
const secondHeaderLength = 55

func (t table) column(name string) []float64 {
	at, ok := columnOf[name]
	if !ok {
		panic("test: no column " + name)
	}
	out := make([]float64, len(t.cells))
	for i, row := range t.cells {
		out[i] = row[at]
	}
	return out
}

func plan(t testing.TB, uri string) []synth.File {
	t.Helper()
	cfg, err := synth.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	files, err := synth.Files(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func written(t testing.TB, f synth.File) []byte {
	t.Helper()
	var text bytes.Buffer
	if err := f.Write(&text); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func parse(t testing.TB, text []byte) table {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(text))
	r.ReuseRecord = true
	if _, err := r.Read(); err != nil {
		t.Fatal(err)
	}
	var out table
	for {
		record, err := r.Read()
		if err != nil {
			if err.Error() == "EOF" {
				return out
			}
			t.Fatal(err)
		}
		row := make([]float64, len(record)-1)
		for i, cell := range record[:len(row)] {
			if row[i], err = strconv.ParseFloat(cell, 64); err != nil {
				t.Fatalf("row %d, column %d: %v", len(out.cells)+1, i, err)
			}
		}
		out.cells = append(out.cells, row)
		out.labels = append(out.labels, strings.Clone(record[len(row)]))
	}
}

func tables(t testing.TB, uri string) []table {
	t.Helper()
	var out []table
	for _, f := range plan(t, uri) {
		out = append(out, parse(t, written(t, f)))
	}
	return out
}

// realFlows is the folder of real flow records with the given name; the test is
// skipped without it, or fails where REQUIRE_DATA is set.
func realFlows(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("FLOWBENCH_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("REQUIRE_DATA") != "" {
			t.Fatalf("real flows not found at %s", dir)
		}
		t.Skipf("real flows not found at %s", dir)
	}
	return dir
}
