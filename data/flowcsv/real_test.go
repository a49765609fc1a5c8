package flowcsv_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"flowbench/data/flowcsv"
	"flowbench/data/ledger"

	"github.com/google/go-cmp/cmp"
)

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

func scanReal(t *testing.T, opt flowcsv.Options, names ...string) *ledger.Ledger {
	t.Helper()
	var paths []string
	for _, name := range names {
		paths = append(paths, realFlows(t, name))
	}
	sources, err := flowcsv.Find(paths...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := flowcsv.NewScanner(sources, opt)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Scan(context.Background(), func(*flowcsv.Block) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func keptByLabel(l *ledger.Ledger) map[string]int64 {
	kept := make(map[string]int64)
	for _, label := range l.Labels {
		kept[label.Name] = label.Kept
	}
	return kept
}

// TestRealMini counts what was counted from the same files by other means.
func TestRealMini(t *testing.T) {
	l := scanReal(t, flowcsv.Options{}, "cicids2017-mini")
	want := map[string]int64{"BENIGN": 59985, "Infiltration": 36, "PortScan": 7, "DoS slowloris": 1}
	if diff := cmp.Diff(want, keptByLabel(l)); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if l.Read != 60029 || l.Dropped != 0 {
		t.Errorf("read %d, dropped %d", l.Read, l.Dropped)
	}
	missing := make(map[string][2]int64)
	for _, c := range l.Columns {
		if c.Missing() > 0 {
			missing[c.Name] = [2]int64{c.Infinite, c.NaN}
		}
	}
	if diff := cmp.Diff(map[string][2]int64{"flow_bytes/s": {41, 16}, "flow_packets/s": {57, 0}}, missing); diff != "" {
		t.Errorf("missing cells (-want +got):\n%s", diff)
	}
}

func TestRealCorrected(t *testing.T) {
	l := scanReal(t, flowcsv.Options{Extras: true}, "corrected")
	if l.Read != 43419 || l.Kept != 43419 || len(l.Labels) != 16 {
		t.Errorf("read %d, kept %d, %d labels", l.Read, l.Kept, len(l.Labels))
	}
	if len(l.Columns) != 83 {
		t.Errorf("%d columns", len(l.Columns))
	}
}

// TestRealInfiltrationConnections finds the six connections of the 36 flows.
func TestRealInfiltrationConnections(t *testing.T) {
	source, err := flowcsv.File(filepath.Join(realFlows(t, "corrected"), "Infiltration_36.csv"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := flowcsv.NewScanner([]flowcsv.Source{source}, flowcsv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	size := make(map[int64]int)
	if _, err := s.Scan(context.Background(), func(b *flowcsv.Block) error {
		for _, g := range b.Groups {
			size[g]++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	sizes := make(map[int]int)
	for _, n := range size {
		sizes[n]++
	}
	if diff := cmp.Diff(map[int]int{17: 1, 7: 1, 5: 1, 4: 1, 2: 1, 1: 1}, sizes); diff != "" {
		t.Errorf("flows a connection (-want +got):\n%s", diff)
	}
}

// TestRealMix joins the labels that both forms have.
func TestRealMix(t *testing.T) {
	l := scanReal(t, flowcsv.Options{}, "corrected/Infiltration_36.csv", "corrected/Portscan_5000.csv",
		"cicids2017-mini/Thursday-WorkingHours-Afternoon-Infilteration.attacks.pcap_ISCX.csv",
		"cicids2017-mini/Friday-WorkingHours-Afternoon-PortScan.pcap_ISCX.csv")
	if diff := cmp.Diff(map[string]int64{"BENIGN": 9992, "Infiltration": 72, "PortScan": 5007}, keptByLabel(l)); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}
