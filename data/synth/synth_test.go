package synth_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"flowbench/data/flowcsv"
	"flowbench/data/schema"
	"flowbench/data/synth"

	"github.com/google/go-cmp/cmp"
)

// golden are the sums of small runs. They change with the tables and with the
// way rows are drawn, and with nothing else: not with the number of processors.
var golden = map[string]string{
	"synth://infiltration?seed=7&rows=9000": "4b28b87342205575abd904bf5b5c69577d5cdd2225de123328ccb90a0ea55041",
	"synth://full?seed=1&rows=12000":        "d527217ab1135e26dcd4d36fb73b529073e5541f7115106b68e713adf8f358e1",
}

func sum(t testing.TB, uri string) string {
	h := sha256.New()
	for _, f := range plan(t, uri) {
		if err := f.Write(h); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestBytesDependOnTheSeedAlone(t *testing.T) {
	for uri, want := range golden {
		for _, threads := range []int{1, 2, 5} {
			previous := runtime.GOMAXPROCS(threads)
			got := sum(t, uri)
			runtime.GOMAXPROCS(previous)
			if got != want {
				t.Errorf("%s with GOMAXPROCS=%d has sha256 %s, want %s", uri, threads, got, want)
			}
		}
	}
	if a, b := sum(t, "synth://infiltration?seed=1&rows=500"), sum(t, "synth://infiltration?seed=2&rows=500"); a == b {
		t.Error("seeds 1 and 2 give the same bytes")
	}
}

func TestFilesOfTheFullSizesHaveTheRealCounts(t *testing.T) {
	want := map[string][]synth.LabelCount{
		"Monday-WorkingHours":                           {{Label: "BENIGN", Rows: 529918}},
		"Tuesday-WorkingHours":                          {{Label: "BENIGN", Rows: 432074}, {Label: "FTP-Patator", Rows: 7938}, {Label: "SSH-Patator", Rows: 5897}},
		"Wednesday-workingHours":                        {{Label: "BENIGN", Rows: 440031}, {Label: "DoS slowloris", Rows: 5796}, {Label: "DoS Slowhttptest", Rows: 5499}, {Label: "DoS Hulk", Rows: 231073}, {Label: "DoS GoldenEye", Rows: 10293}, {Label: "Heartbleed", Rows: 11}},
		"Thursday-WorkingHours-Morning-WebAttacks":      {{Label: "BENIGN", Rows: 168186}, {Label: "Web Attack - Brute Force", Rows: 1507}, {Label: "Web Attack - XSS", Rows: 652}, {Label: "Web Attack - Sql Injection", Rows: 21}},
		"Thursday-WorkingHours-Afternoon-Infilteration": {{Label: "BENIGN", Rows: 288566}, {Label: "Infiltration", Rows: 36}},
		"Friday-WorkingHours-Morning":                   {{Label: "BENIGN", Rows: 189067}, {Label: "Bot", Rows: 1966}},
		"Friday-WorkingHours-Afternoon-PortScan":        {{Label: "BENIGN", Rows: 127537}, {Label: "PortScan", Rows: 158930}},
		"Friday-WorkingHours-Afternoon-DDos":            {{Label: "BENIGN", Rows: 97718}, {Label: "DDoS", Rows: 128027}},
	}
	got, rows := make(map[string][]synth.LabelCount), 0
	for _, f := range plan(t, "synth://full") {
		got[strings.TrimSuffix(f.Name, ".synthetic.csv")] = f.Labels
		rows += f.Rows
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if rows != 2830743 {
		t.Errorf("%d rows", rows)
	}
	small := plan(t, "synth://infiltration")
	if len(small) != 2 || small[0].Rows+small[1].Rows != 818520 {
		t.Errorf("infiltration: %v", small)
	}
}

func TestRowsScale(t *testing.T) {
	for _, profile := range synth.Profiles() {
		for _, rows := range []int{23, 24, 31, 50, 99, 111, 989, 4096, 4097, 8191, 60021, 5_000_000} {
			total := 0
			for _, f := range plan(t, fmt.Sprintf("synth://%s?rows=%d", profile, rows)) {
				n := 0
				for _, l := range f.Labels {
					n += l.Rows
					if l.Rows < 1 {
						t.Errorf("%s, rows=%d: %v", profile, rows, f.Labels)
					}
				}
				if n != f.Rows || f.Labels[0].Label != schema.Benign {
					t.Errorf("%s, rows=%d: %s has %d rows, labels %v", profile, rows, f.Name, f.Rows, f.Labels)
				}
				total += f.Rows
			}
			if total != rows {
				t.Errorf("%s, rows=%d: %d rows", profile, rows, total)
			}
		}
	}
}

func TestRareClassesStay(t *testing.T) {
	counts := func(uri string) map[string]int {
		m := make(map[string]int)
		for _, f := range plan(t, uri) {
			for _, l := range f.Labels {
				m[l.Label] += l.Rows
			}
		}
		return m
	}
	got := counts("synth://full?rows=20000")
	want := map[string]int{"Infiltration": 36, "Heartbleed": 11, "Web Attack - Sql Injection": 21, "Web Attack - XSS": 36, "Bot": 36, "DoS Hulk": 1633}
	for label, n := range want {
		if got[label] != n {
			t.Errorf("%s: %d rows of 20,000, want %d", label, got[label], n)
		}
	}
	for uri, n := range map[string]int{
		"synth://infiltration?rows=72": 36, "synth://infiltration?rows=60": 30, "synth://infiltration?rows=3": 1,
		"synth://infiltration?rows=1000&positives=400": 400, "synth://infiltration?rows=2000000": 36,
	} {
		if got := counts(uri)["Infiltration"]; got != n {
			t.Errorf("%s: %d Infiltration, want %d", uri, got, n)
		}
	}
}

func TestWrittenLabelsAreThePlannedOnes(t *testing.T) {
	for _, uri := range []string{"synth://full?seed=5&rows=12000", "synth://full?seed=5&rows=300", "synth://infiltration?rows=6000&positives=2000", "synth://infiltration?rows=3"} {
		for _, f := range plan(t, uri) {
			got := make(map[string]int)
			rows := parse(t, written(t, f))
			for _, label := range rows.labels {
				canonical, err := schema.CanonicalLabel(label)
				if err != nil {
					t.Fatal(err)
				}
				got[canonical]++
			}
			want := make(map[string]int)
			for _, l := range f.Labels {
				want[l.Label] = l.Rows
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s: %s", uri, f.Name, diff)
			}
		}
	}
}

// What tells models nothing but gives the class away: in the real data, port 444
// is every Infiltration flow and no benign one.
func TestPortsOfInfiltration(t *testing.T) {
	for _, rows := range tables(t, "synth://full?seed=2&rows=12000") {
		for i, port := range rows.column("destination_port") {
			if marked := port == 444; marked != (rows.labels[i] == "Infiltration" || rows.labels[i] == "Heartbleed") || port < 0 || port > 65535 {
				t.Fatalf("port %v is %s", port, rows.labels[i])
			}
		}
	}
}

func TestImpossibleConfigs(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  synth.Config
		want string
	}{
		"profile": {synth.Config{Profile: "infiltraton"}, `unknown synthetic profile "infiltraton" (did you mean "infiltration"?)`},
		"none":    {synth.Config{}, `unknown synthetic profile ""; known are infiltration and full`},
		"rows":    {synth.Config{Profile: "full", Rows: 21}, "rows=21 is too small: 15 attack rows and a benign row in each of 8 files need rows=23 or more"},
		"many":    {synth.Config{Profile: "infiltration", Rows: 100, Positives: 99}, "need rows=101 or more"},
		"below":   {synth.Config{Profile: "infiltration", Rows: -1}, "neither may be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := synth.Files(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := synth.Files(synth.Config{Profile: "full", Rows: 23}); err != nil {
		t.Errorf("the least that the message names is refused: %v", err)
	}
}

// brokenPipe fails after n bytes.
type brokenPipe struct{ n int }

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.n -= len(p); b.n < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestWriteReportsTheFirstError(t *testing.T) {
	f := plan(t, "synth://infiltration?rows=40000")[0]
	for _, n := range []int{0, 10, 2000, 2_000_000} {
		before := runtime.NumGoroutine()
		err := f.Write(&brokenPipe{n})
		if !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), f.Name) {
			t.Errorf("after %d bytes: %v", n, err)
		}
		for range 1000 { // blocks that were being made end on their own
			if runtime.NumGoroutine() <= before {
				break
			}
			runtime.Gosched()
		}
	}
}

func TestFilesSayThatTheyAreSynthetic(t *testing.T) {
	for _, f := range plan(t, "synth://full?seed=9&rows=5000") {
		if !strings.HasSuffix(f.Name, ".synthetic.csv") || !strings.Contains(f.Notice, "synthetic") ||
			!strings.Contains(f.Notice, "synth://full?seed=9&rows=5000") {
			t.Errorf("%s: %s", f.Name, f.Notice)
		}
	}
}

// The reader takes what is written, and its own counts agree.
func TestReaderTakesEveryFile(t *testing.T) {
	files := plan(t, "synth://full?seed=6&rows=12000")
	var sources []flowcsv.Source
	for _, f := range files {
		sources = append(sources, flowcsv.Source{Name: f.Name, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(written(t, f))), nil
		}})
	}
	scanner, err := flowcsv.NewScanner(sources, flowcsv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	missing, rows := 0, 0
	if _, err := scanner.Scan(context.Background(), func(b *flowcsv.Block) error {
		rows += b.Rows
		for _, v := range b.Features {
			if math.IsNaN(float64(v)) {
				missing++
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if rows != 12000 || missing < 2*len(files) {
		t.Errorf("%d rows with %d missing cells", rows, missing)
	}
}

func BenchmarkWrite(b *testing.B) {
	files := plan(b, "synth://infiltration?rows=65536")
	var counter countingWriter
	for b.Loop() {
		counter = 0
		for _, f := range files {
			if err := f.Write(&counter); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.SetBytes(int64(counter))
}

type countingWriter int

func (c *countingWriter) Write(p []byte) (int, error) {
	*c += countingWriter(len(p))
	return len(p), nil
}
