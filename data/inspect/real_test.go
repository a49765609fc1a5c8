package inspect

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flowbench/data/flowcsv"
	"flowbench/data/prepared"
)

// realFlows prepares the given files of a folder of real flow records; the
// test is skipped without it, or fails where REQUIRE_DATA is set.
func realFlows(t *testing.T, name, files string) *prepared.Set {
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
	sources, err := flowcsv.Find(filepath.Join(folder, files))
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

// Thursday afternoon holds what is known of it: the constant columns, the holes in
// the two rates alone, and the port as the whole Infiltration class.
func TestRealFlowsLookAsTheyAreKnown(t *testing.T) {
	s := describe(t, Of(realFlows(t, "cicids2017-mini", "*Infilteration*.csv")), Options{})
	if s.Rows != 10035 || s.Labels[0].Label != "BENIGN" || s.Labels[0].Rows != 9999 {
		t.Errorf("%d rows, %+v", s.Rows, s.Labels)
	}
	for _, name := range []string{"bwd_psh_flags", "bwd_urg_flags", "fwd_avg_bytes/bulk", "bwd_avg_bulk_rate"} {
		if !strings.Contains(strings.Join(s.Constant, " "), name) {
			t.Errorf("%s is not among the constant columns %q", name, s.Constant)
		}
	}
	for _, c := range s.Columns {
		if holes := c.Name == "flow_bytes/s" || c.Name == "flow_packets/s"; holes != (c.Missing > 0) {
			t.Errorf("%s: %d missing cells", c.Name, c.Missing)
		}
		if c.Name == "destination_port" && c.Kind != Port {
			t.Errorf("destination_port is %s", c.Kind)
		}
	}
	for _, class := range s.Classes {
		if class.Label == "Infiltration" && (class.Rows != 36 || class.Columns[0].Column == "") {
			t.Errorf("Infiltration: %+v", class)
		}
	}
	var out strings.Builder
	if err := s.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + out.String())
}
