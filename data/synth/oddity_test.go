package synth_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"flowbench/data/schema"
	"flowbench/data/synth"
)

func TestFormOfTheFiles(t *testing.T) {
	for _, f := range plan(t, "synth://full?seed=8&rows=9000") {
		text := written(t, f)
		if !bytes.HasPrefix(text, []byte(schema.RawHeader79+"\r\n")) {
			t.Fatalf("%s begins with %q", f.Name, text[:80])
		}
		lines := bytes.Count(text, []byte("\r\n"))
		if lines != f.Rows+1 || lines != bytes.Count(text, []byte("\n")) || !bytes.HasSuffix(text, []byte("\r\n")) {
			t.Errorf("%s: %d line ends of CR LF for %d rows", f.Name, lines, f.Rows)
		}
		for i, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\r\n")), []byte("\r\n")) {
			if n := bytes.Count(line, []byte(",")); n != 78 {
				t.Fatalf("%s, line %d has %d commas", f.Name, i+1, n)
			}
		}
		if strings.Contains(f.Name, "WebAttacks") {
			for _, label := range []string{"Brute Force", "XSS", "Sql Injection"} {
				if !bytes.Contains(text, []byte(",Web Attack \xEF\xBF\xBD "+label+"\r\n")) {
					t.Errorf("no %s with the bytes EF BF BD", label)
				}
			}
		}
	}
}

// Numbers of a real file, read and written again, must be its text.
func TestSpreadsheetTextIsThatOfTheRealFiles(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(realFlows(t, "cicids2017-mini"), "Wednesday-workingHours.pcap_ISCX.csv"))
	if err != nil {
		t.Fatal(err)
	}
	real := []string{"flow_bytes/s", "flow_packets/s", "flow_iat_mean", "flow_iat_std", "fwd_iat_mean", "fwd_iat_std", "bwd_iat_std", "fwd_packets/s",
		"bwd_packets/s", "packet_length_mean", "packet_length_std", "packet_length_variance", "average_packet_size", "active_mean", "idle_std"}
	lines, different := strings.Split(string(text), "\r\n"), 0
	for _, line := range lines[1 : len(lines)-1] {
		cells := strings.Split(line, ",")
		for _, name := range real {
			cell := cells[columnOf[name]]
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				t.Fatal(err)
			}
			if got := synth.SpreadsheetReal(v); got != cell {
				if different++; different < 5 {
					t.Logf("%s: %s, want %s", name, got, cell)
				}
			}
		}
	}
	if share := float64(different) / float64(len(lines)*len(real)); share > 1e-3 {
		t.Errorf("%.5f of the cells read otherwise", share)
	}
}

func count(values []float64, is func(float64) bool) int {
	n := 0
	for _, v := range values {
		if is(v) {
			n++
		}
	}
	return n
}

func TestFaultsOfTheFilesAreThere(t *testing.T) {
	negative := func(v float64) bool { return v < 0 }
	seen := make(map[string]int)
	for _, rows := range tables(t, "synth://infiltration?seed=8&rows=40000") {
		for name := range columnOf {
			if name == "label" {
				continue
			}
			column := rows.column(name)
			seen[name+" < 0"] += count(column, negative)
			seen[name+" infinite"] += count(column, func(v float64) bool { return math.IsInf(v, 0) })
			seen[name+" NaN"] += count(column, math.IsNaN)
		}
	}
	for _, name := range []string{"init_win_bytes_backward", "init_win_bytes_forward", "flow_iat_min", "flow_duration", "flow_packets/s", "flow_iat_mean",
		"flow_iat_max", "flow_bytes/s", "fwd_header_length", "min_seg_size_forward", "bwd_header_length", "fwd_iat_min"} {
		if seen[name+" < 0"] == 0 {
			t.Errorf("no %s below 0", name)
		}
		delete(seen, name+" < 0")
	}
	// Of 818,520 rows 82 have NaN and 644 an infinite rate; benign rows scale with the set.
	scaled := func(of int) (low, high int) { return of*40000/818520 - 2, of*40000/818520 + 2 }
	for key, of := range map[string]int{"flow_packets/s infinite": 437 + 207, "flow_bytes/s infinite": 437 + 207 - 82, "flow_bytes/s NaN": 82} {
		if low, high := scaled(of); seen[key] < low || seen[key] > high {
			t.Errorf("%s: %d cells, want %d to %d", key, seen[key], low, high)
		}
		delete(seen, key)
	}
	for key, n := range seen {
		if n > 0 {
			t.Errorf("%d cells of %s", n, key)
		}
	}
}

func TestRepeatedRowsAreAsCommonAsInTheRealFiles(t *testing.T) {
	repeated, rows := make(map[string]int), make(map[string]int)
	for _, f := range plan(t, "synth://full?seed=8&rows=20000") {
		seen := make(map[string]bool)
		for _, line := range strings.Split(string(written(t, f)), "\r\n") {
			label := line[strings.LastIndex(line, ",")+1:]
			rows[label]++
			if seen[line] {
				repeated[label]++
			}
			seen[line] = true
		}
	}
	for label, want := range map[string][2]float64{"BENIGN": {.04, .12}, "PortScan": {.36, .5}, "DoS Hulk": {.2, .3}, "Infiltration": {0, 0}, "DDoS": {0, .01}} {
		if share := float64(repeated[label]) / float64(rows[label]); share < want[0] || share > want[1] {
			t.Errorf("%s: %.3f of the rows repeat an earlier one, want %v", label, share, want)
		}
	}
}

// No single column tells Infiltration apart without the port; the real sample
// has 0.90 for the best of 77, and at a false-positive rate of 1 % it finds 17
// of 36.
func TestNoSingleColumnGivesInfiltrationAway(t *testing.T) {
	var columns [][]float64
	var positive []bool
	for _, rows := range tables(t, "synth://infiltration?seed=8&rows=20000") {
		for i, r := range rows.cells {
			columns = append(columns, r)
			positive = append(positive, rows.labels[i] == "Infiltration")
		}
	}
	best, bestName := 0.0, ""
	for _, name := range schema.Features() {
		if name == schema.DestinationPort {
			continue
		}
		values := make([]float64, len(columns))
		for i, r := range columns {
			values[i] = r[columnOf[name]]
		}
		if a := areaUnderROC(values, positive); max(a, 1-a) > best {
			best, bestName = max(a, 1-a), name
		}
	}
	if best < .85 || best > .95 {
		t.Errorf("the best single column, %s, has AUROC %.3f; the real one 0.90", bestName, best)
	}
}
