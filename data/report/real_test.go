package report

import (
	"context"
	"os"
	"path/filepath"
	"slices"
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

// On the real sample the port is the whole Infiltration class, and no other
// column or value comes near: the best has an AUROC of about 0.9.
func TestOnRealFlowsThePortAloneIsNamed(t *testing.T) {
	set := realFlows(t, "cicids2017-mini")
	m := set.Manifest()
	benign, infiltration := int32(slices.Index(m.Labels, "BENIGN")), int32(slices.Index(m.Labels, "Infiltration"))
	in := Input{Task: "Infiltration against BENIGN", Features: set.Features(), Columns: m.Columns, Labels: set.Labels(), Positive: []int32{infiltration}}
	for row, label := range set.Labels() {
		if label == benign || label == infiltration {
			in.Rows = append(in.Rows, int32(row))
		}
	}
	f := SingleFeatures(in)
	if f.Positives != 36 || f.Negatives != 59985 {
		t.Fatalf("%d positives and %d negatives", f.Positives, f.Negatives)
	}
	if len(f.Named) != 1 || f.Named[0].Text != "destination_port == 444 finds 36 of 36, 0 false alarms" {
		t.Errorf("named: %+v", f.Named)
	}
	t.Log("\n" + textOf(t, f.WriteText))
}
