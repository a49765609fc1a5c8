package split

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowbench/data/flowcsv"
	"flowbench/data/prepared"
)

// realFlows prepares the folder of real flow records with the given name; the
// test is skipped without it, or fails where REQUIRE_DATA is set.
func realFlows(t *testing.T, name string) *prepared.Set {
	t.Helper()
	root := os.Getenv("FLOWBENCH_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	folder := filepath.Join(root, name)
	if _, err := os.Stat(folder); err != nil {
		if os.Getenv("REQUIRE_DATA") != "" {
			t.Fatalf("real flows not found at %s", folder)
		}
		t.Skipf("real flows not found at %s", folder)
	}
	sources, err := flowcsv.Find(folder)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), name)
	if _, err := prepared.Write(context.Background(), dir, sources, prepared.Options{Source: name}); err != nil {
		t.Fatal(err)
	}
	set, err := prepared.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

// rowsOf is the set as a table to split, without the port.
func rowsOf(set *prepared.Set) Rows {
	m := set.Manifest()
	r := Rows{
		Features: set.Features(), Cols: len(m.Columns), Labels: set.Labels(), LabelNames: m.Labels,
		Groups: set.Groups(), Files: set.Files(), FileNames: m.FileNames(),
	}
	for c, name := range m.Columns {
		if name != "destination_port" {
			r.Columns = append(r.Columns, c)
		}
	}
	return r
}

// The corrected flows have addresses: the 36 Infiltration flows are 6 connections.
func TestRealConnectionsSpreadAndNeverCross(t *testing.T) {
	r := rowsOf(realFlows(t, "corrected"))
	label := int32(slices.Index(r.LabelNames, "Infiltration"))
	sizes := map[int64]int{}
	for row, l := range r.Labels {
		if l == label {
			sizes[r.Groups[row]]++
		}
	}
	var got []int
	for _, n := range sizes {
		got = append(got, n)
	}
	if slices.Sort(got); !slices.Equal(got, []int{1, 2, 4, 5, 7, 17}) {
		t.Fatalf("connections of %v flows", got)
	}
	r.Keep, _ = Deduplicate(r)
	for seed := range uint64(5) {
		s, leak, err := Make(Config{By: ByGroup, Train: 0.6, Validation: 0.2, Test: 0.2, Seed: seed}, r)
		if err != nil {
			t.Fatal(err)
		}
		sum := Summarise(s, r)
		i := slices.IndexFunc(sum.Labels, func(l LabelParts) bool { return l.Label == "Infiltration" })
		if l := sum.Labels[i]; l.Train.Connections == 0 || l.Validation.Connections == 0 || l.Test.Connections == 0 {
			t.Errorf("seed %d: %+v", seed, l)
		}
		if leak.Total.Connections.MadeCrossing != 0 || leak.Total.Connections.Crossing == 0 {
			t.Errorf("seed %d: %+v", seed, leak.Total)
		}
		if seed == 0 {
			logText(t, sum.WriteText, leak.WriteText)
		}
	}
}

// What pandas 1.5.3 finds in the same rows: duplicated() over the columns without the
// port, as float32, and the label.
func TestRealDuplicates(t *testing.T) {
	r := rowsOf(realFlows(t, "cicids2017-mini"))
	leak, err := PlainLeakage(Config{By: ByRandom, Train: 0.6, Validation: 0.2, Test: 0.2}, r)
	if err != nil {
		t.Fatal(err)
	}
	keep, d := Deduplicate(r)
	if d.Kept != 56839 || d.Labels[0].Kept != 56795 || d.ConflictGroups != 0 || len(keep) != d.Kept {
		t.Errorf("kept %d of %d", d.Kept, d.Rows)
	}
	logText(t, leak.WriteText, d.WriteText)
}

func logText(t *testing.T, write ...func(io.Writer) error) {
	t.Helper()
	var out strings.Builder
	for _, w := range write {
		if err := w(&out); err != nil {
			t.Fatal(err)
		}
	}
	t.Log("\n" + out.String())
}
