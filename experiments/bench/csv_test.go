package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"flowbench/data/prepared"
)

// rulerCSV writes a flows.csv with columns as the rulers' script names them.
func rulerCSV(t *testing.T, rows int) (dir string) {
	t.Helper()
	var b strings.Builder
	for j := range Cols {
		fmt.Fprintf(&b, " F%d,", j)
	}
	b.WriteString(" Label\n")
	for i := range rows {
		for j := range Cols {
			fmt.Fprintf(&b, "%d.%d,", i, j)
		}
		b.WriteString("BENIGN\n")
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "flows.csv"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPrepare(t *testing.T) {
	synthetic := t.TempDir()
	if err := WriteSynthetic(t.Context(), synthetic, 500, 7); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir  string
		rows int64
		cols int
	}{{rulerCSV(t, 200), 200, 78}, {synthetic, 500, 77}} {
		sources, err := CSVSources(c.dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := Warm(t.Context(), sources); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), "set")
		r, err := Prepare(t.Context(), sources, to, 2)
		if err != nil {
			t.Fatal(err)
		}
		if r.Rows != c.rows || r.Cols != c.cols || r.PreparedBytes < 4*c.rows*int64(c.cols) || !(r.Seconds > 0) || !(r.OpenSeconds > 0) {
			t.Errorf("%+v, want %d rows of %d columns", r, c.rows, c.cols)
		}
		if runtime.GOOS == "linux" && r.PeakMemory < 1<<20 {
			t.Errorf("%d bytes of peak memory", r.PeakMemory)
		}
		if !prepared.IsPrepared(to) {
			t.Error("no prepared set is left")
		}
	}
}

func TestCSVErrors(t *testing.T) {
	if _, err := CSVSources(t.TempDir()); err == nil {
		t.Error("sources in an empty folder")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sources, err := CSVSources(rulerCSV(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	if err := Warm(ctx, sources); !errors.Is(err, context.Canceled) {
		t.Errorf("Warm: %v", err)
	}
	if _, err := Prepare(ctx, sources, filepath.Join(t.TempDir(), "set"), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Prepare: %v", err)
	}
	if err := WriteSynthetic(ctx, t.TempDir(), 100, 7); !errors.Is(err, context.Canceled) {
		t.Errorf("WriteSynthetic: %v", err)
	}
}

func TestMedianCSV(t *testing.T) {
	r := MedianCSV([]CSVResult{
		{Work: "csv", Bytes: 6e6, PreparedBytes: 1e6, Seconds: 3, PeakMemory: 30, OpenSeconds: 0.1},
		{Work: "csv", Bytes: 6e6, PreparedBytes: 1e6, Seconds: 1, PeakMemory: 10, OpenSeconds: 0.3},
		{Work: "csv", Bytes: 6e6, PreparedBytes: 1e6, Seconds: 2, PeakMemory: 50, OpenSeconds: 0.2},
	})
	if r.Seconds != 2 || r.Slowest != 3 || r.Fastest != 1 || r.MegabytesPerSecond != 3 || r.PeakMemory != 30 || r.OpenSeconds != 0.2 || r.Repeats != 3 {
		t.Errorf("%+v", r)
	}
	var out bytes.Buffer
	if err := WriteCSV(&out, r); err != nil || !strings.Contains(out.String(), "medians of 3 rounds") {
		t.Errorf("%v:\n%s", err, out.String())
	}
}
