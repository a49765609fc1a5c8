package score

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"flowbench/data/flowcsv"
	"flowbench/data/prepared"
	"flowbench/data/synth"
	"flowbench/experiments/dataset"
	"flowbench/experiments/spec"
	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/train"
	"flowbench/train/metric"
)

// trained is a model, the set it was trained on, and how its rows were split.
type trained struct {
	model *train.Finished
	set   *prepared.Set
	data  *dataset.Dataset
}

// training trains what the keys of a spec say on synthetic flows.
func training(t testing.TB, rows int, keys ...string) trained {
	t.Helper()
	text := "name: test\ndata:\n  source: synth://infiltration?seed=5&positives=200&rows=" + strconv.Itoa(rows) + "\n  positive: [Infiltration]\n" + strings.Join(keys, "\n") + "\n"
	s, err := spec.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	run, err := s.With(nil)
	if err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Open(context.Background(), run.Data, filepath.Join(t.TempDir(), "data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	data, err := dataset.New(set, run.Data)
	if err != nil {
		t.Fatal(err)
	}
	trial := train.Trial{Config: run.Config, Data: data.Data, Seed: 1, Backend: cpu.New(), Dir: t.TempDir(), Fingerprint: "test"}
	if _, err := trial.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	model, err := train.OpenFinished(trial.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return trained{model, set, data}
}

// models are specs whose models together take every way through Run.
var models = map[string][]string{
	"dnn":         {"model: {kind: dnn, hidden: [32, 16]}", "train: {epochs: 3}"},
	"ensemble":    {"model: {kind: dnn, hidden: [16], ensemble: 2}", "train: {epochs: 2}"},
	"autoencoder": {"model: {kind: autoencoder, hidden: [24, 8, 24]}", "train: {epochs: 2}"},
	"kmeans":      {"model: {kind: kmeans, clusters: 16}"},
	"forest":      {"model: {kind: isolation_forest, trees: 20}"},
}

func single(t testing.TB) kernels.Backend {
	t.Helper()
	b, err := cpu.WithThreads("auto", 1)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run scores in and returns what was written.
func run(t testing.TB, m trained, in Input, kind string, opt Options) ([]byte, *Summary) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(kind, &out, in, m.model.Model, false)
	if err != nil {
		t.Fatal(err)
	}
	if opt.Explain == "" {
		opt.Explain = Alerts
	}
	opt.Threshold = m.model.Model.Threshold.V
	s, err := Run(context.Background(), m.model, single(t), in, w, opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), s
}

// rowsOf reads the CSV that was written, without its header.
func rowsOf(t testing.TB, text []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], ","); got != csvHeader {
		t.Fatalf("the header is %s", got)
	}
	return rows[1:]
}

const (
	columnFile, columnLine, columnLabel, columnScore, columnVerdict, columnFeature = 1, 2, 3, 4, 5, 6
)

func TestTestRowsAreJudgedAsInTraining(t *testing.T) {
	for name, keys := range models {
		m := training(t, 4000, keys...)
		text, summary := run(t, m, NewPrepared(m.set), "csv", Options{})
		rows := rowsOf(t, text)
		var scores []float64
		var positive []bool
		for _, i := range m.data.Test {
			row := rows[m.data.Rows.Keep[i]]
			v, err := strconv.ParseFloat(row[columnScore], 64)
			if err != nil {
				t.Fatal(err)
			}
			scores, positive = append(scores, v), append(positive, m.data.Class[i] != 0)
			if (row[columnVerdict] == alertWord) != metric.Alert(v, m.model.Model.Threshold.V) || (row[columnLabel] != "BENIGN") != positive[len(positive)-1] {
				t.Fatalf("%s: row %v", name, row)
			}
		}
		want := m.model.Result.Test
		c, err := metric.Confuse(scores, positive, m.model.Model.Threshold.V)
		if err != nil {
			t.Fatal(err)
		}
		ranking, err := metric.Rank(scores, positive)
		if err != nil {
			t.Fatal(err)
		}
		if c != *want.Confusion || ranking.AveragePrecision() != want.AveragePrecision {
			t.Errorf("%s: confusion %+v and AP %v, the training run has %+v and %v", name, c, ranking.AveragePrecision(), *want.Confusion, want.AveragePrecision)
		}
		alerts := 0
		for _, row := range rows {
			if row[columnVerdict] == alertWord {
				alerts++
			}
			explained := row[columnFeature] != ""
			if want := row[columnVerdict] == alertWord && name != "forest"; explained != want {
				t.Errorf("%s: row %v is explained: %v", name, row, explained)
			}
		}
		if summary.Rows != int64(len(rows)) || summary.Alerts != int64(alerts) || (summary.Parts == "") != (name == "forest") {
			t.Errorf("%s: summary %+v", name, summary)
		}
	}
}

func TestOrderAndBytesForAnyWorkers(t *testing.T) {
	m := training(t, 9000, models["dnn"]...)
	for _, kind := range Formats() {
		var want []byte
		for _, workers := range []int{1, 2, 7} {
			got, _ := run(t, m, NewPrepared(m.set), kind, Options{Workers: workers, Explain: All})
			if want == nil {
				want = got
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s: %d workers write other bytes", kind, workers)
			}
		}
	}
}

// flowFiles are the CSVs that the model's set was made of.
func flowFiles(t testing.TB, rows int) []flowcsv.Source {
	t.Helper()
	sources, _, err := dataset.Sources("synth://infiltration?seed=5&positives=200&rows=" + strconv.Itoa(rows))
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

func textOf(t testing.TB, s flowcsv.Source) string {
	t.Helper()
	r, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func source(name, text string) flowcsv.Source {
	return flowcsv.Source{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

func newCSV(t testing.TB, m trained, sources ...flowcsv.Source) *CSV {
	t.Helper()
	in, err := NewCSV(sources, m.model.Model.Scaler.Columns, flowcsv.Options{BadRows: flowcsv.Drop})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestCSVScoresAsThePreparedSet(t *testing.T) {
	m := training(t, 3000, models["dnn"]...)
	fromSet, _ := run(t, m, NewPrepared(m.set), "csv", Options{Explain: All})
	fromCSV, summary := run(t, m, newCSV(t, m, flowFiles(t, 3000)...), "csv", Options{Explain: All})
	want, got := rowsOf(t, fromSet), rowsOf(t, fromCSV)
	for i := range want {
		want[i][columnFile], got[i][columnFile] = "", ""
		if want[i][columnLine] != "" || got[i][columnLine] == "" {
			t.Fatalf("lines %q and %q", want[i][columnLine], got[i][columnLine])
		}
		got[i][columnLine] = ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	missing := m.set.Manifest().Ledger
	for _, c := range missing.Columns {
		if n := c.Missing(); n != summary.Input.MissingCells[c.Name] && slices.Contains(m.model.Model.Scaler.Columns, c.Name) {
			t.Errorf("%s: %d missing cells counted, the ledger has %d", c.Name, summary.Input.MissingCells[c.Name], n)
		}
	}
}

// columnsOf reorders the columns of a CSV by permutation of their places.
func columnsOf(text string, order func(places []int) []int) string {
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	for _, line := range lines {
		cells := strings.Split(strings.TrimRight(line, "\r"), ",")
		places := make([]int, len(cells))
		for i := range places {
			places[i] = i
		}
		var kept []string
		for _, p := range order(places) {
			kept = append(kept, cells[p])
		}
		out.WriteString(strings.Join(kept, ",") + "\n")
	}
	return out.String()
}

func TestColumnsAreFoundByName(t *testing.T) {
	m := training(t, 3000, models["dnn"]...)
	text := textOf(t, flowFiles(t, 3000)[0])
	want, _ := run(t, m, newCSV(t, m, source("a.csv", text)), "csv", Options{})
	got, _ := run(t, m, newCSV(t, m, source("a.csv", columnsOf(text, func(p []int) []int { slices.Reverse(p); return p }))), "csv", Options{})
	if !bytes.Equal(got, want) {
		t.Error("a CSV with its columns turned around gets other verdicts")
	}
	noLabel, summary := run(t, m, newCSV(t, m, source("a.csv", columnsOf(text, func(p []int) []int { return p[:len(p)-1] }))), "csv", Options{})
	if rows := rowsOf(t, noLabel); len(summary.Labels) != 0 || rows[0][columnLabel] != "" || rows[0][columnScore] != rowsOf(t, want)[0][columnScore] {
		t.Errorf("without labels: %+v, %v", summary.Labels, rows[0])
	}
	in := newCSV(t, m, source("b.csv", columnsOf(text, func(p []int) []int { return slices.Delete(p, 1, 3) })))
	var out bytes.Buffer
	w, err := NewWriter("csv", &out, in, m.model.Model, false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Run(context.Background(), m.model, single(t), in, w, Options{})
	for _, word := range []string{"b.csv", "missing: flow_duration, total_fwd_packets"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v lacks %q", err, word)
		}
	}
}

func TestBadRowsAreCounted(t *testing.T) {
	m := training(t, 3000, models["dnn"]...)
	lines := strings.Split(textOf(t, flowFiles(t, 3000)[0]), "\n")
	lines[3] = "1,2,3"
	_, summary := run(t, m, newCSV(t, m, source("a.csv", strings.Join(lines, "\n"))), "csv", Options{})
	if summary.Input.Dropped != 1 || summary.Input.Reasons[0].Reason != flowcsv.ReasonFields || summary.Input.Reasons[0].First != "a.csv:4" {
		t.Errorf("account %+v", summary.Input)
	}
	var text bytes.Buffer
	if err := summary.Write(&text); err != nil || !strings.Contains(text.String(), "dropped: 1 rows, wrong number of fields (the first at a.csv:4)") {
		t.Errorf("%v\n%s", err, &text)
	}
}

func TestFormatsHoldTheSame(t *testing.T) {
	m := training(t, 3000, models["autoencoder"]...)
	files := flowFiles(t, 3000)
	files[0].Name = `a, "b".csv`
	text, _ := run(t, m, newCSV(t, m, files...), "csv", Options{})
	lines, _ := run(t, m, newCSV(t, m, files...), "jsonl", Options{})
	columns, _ := run(t, m, newCSV(t, m, files...), "parquet", Options{})
	records, err := parquet.Read[record](bytes.NewReader(columns), int64(len(columns)))
	if err != nil {
		t.Fatal(err)
	}
	objects := json.NewDecoder(bytes.NewReader(lines))
	for i, row := range rowsOf(t, text) {
		var o struct {
			Row, Line            int64
			File, Label, Verdict string
			Score                float64
			Features             []struct {
				Feature string
				Part    float32
			}
		}
		if err := objects.Decode(&o); err != nil {
			t.Fatal(err)
		}
		r := records[i]
		fromJSON := []string{strconv.FormatInt(o.Row, 10), o.File, strconv.FormatInt(o.Line, 10), o.Label, strconv.FormatFloat(o.Score, 'g', -1, 64), o.Verdict}
		fromParquet := []string{strconv.FormatInt(r.Row, 10), r.File, strconv.FormatInt(*r.Line, 10), *r.Label, strconv.FormatFloat(r.Score, 'g', -1, 64), r.Verdict}
		for _, f := range o.Features {
			fromJSON = append(fromJSON, f.Feature, strconv.FormatFloat(float64(f.Part), 'g', -1, 32))
		}
		names, parts := []*string{r.Feature1, r.Feature2, r.Feature3}, []*float32{r.Part1, r.Part2, r.Part3}
		for k, name := range names {
			if name != nil {
				fromParquet = append(fromParquet, *name, strconv.FormatFloat(float64(*parts[k]), 'g', -1, 32))
			}
		}
		for len(fromJSON) < len(row) {
			fromJSON = append(fromJSON, "")
		}
		for len(fromParquet) < len(row) {
			fromParquet = append(fromParquet, "")
		}
		if !slices.Equal(row, fromJSON) || !slices.Equal(row, fromParquet) {
			t.Fatalf("csv %v\njson %v\nparquet %v", row, fromJSON, fromParquet)
		}
	}
	if len(records) != 3000 {
		t.Errorf("%d records", len(records))
	}
}

// A tenth of the full eight files streams through in memory that is not a matter
// of the rows: what it takes beyond the mapped input is bounded.
func TestMemoryDoesNotGrowWithTheRows(t *testing.T) {
	if testing.Short() {
		t.Skip("283,000 rows")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // each thread has blocks of its own in hand
	m := training(t, 3000, models["dnn"]...)
	config, err := synth.Parse("synth://full?seed=1&rows=283074")
	if err != nil {
		t.Fatal(err)
	}
	files, err := synth.Files(config)
	if err != nil {
		t.Fatal(err)
	}
	var sources []flowcsv.Source
	for _, f := range files {
		sources = append(sources, flowcsv.Source{Name: f.Name, Open: func() (io.ReadCloser, error) {
			r, w := io.Pipe()
			go func() { w.CloseWithError(f.Write(w)) }()
			return r, nil
		}})
	}
	in := newCSV(t, m, sources...)
	w, err := NewWriter("csv", io.Discard, in, m.model.Model, false)
	if err != nil {
		t.Fatal(err)
	}
	most := uint64(0)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	rows := 0
	opt := Options{Threshold: m.model.Model.Threshold.V, Explain: Alerts, Progress: func(int64) {
		if rows++; rows%16 == 0 {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse-min(now.HeapInuse, before.HeapInuse))
		}
	}}
	s, err := Run(context.Background(), m.model, single(t), in, w, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rows, %d MB of heap at the most", s.Rows, most>>20)
	if s.Rows != 283074 || most > 200<<20 {
		t.Errorf("%d rows took %d MB of heap, want 200 at the most", s.Rows, most>>20)
	}
}

// BenchmarkPrepared is rows a second of a DNN, without and with what takes longest.
func BenchmarkPrepared(b *testing.B) {
	m := training(b, 50000, "model: {kind: dnn, hidden: [128, 64, 32]}", "train: {epochs: 1}")
	rows := float64(m.set.Manifest().Rows)
	for _, explain := range []Explain{None, Alerts, All} {
		b.Run(string(explain), func(b *testing.B) {
			for b.Loop() {
				w, err := NewWriter("csv", io.Discard, NewPrepared(m.set), m.model.Model, false)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := Run(context.Background(), m.model, single(b), NewPrepared(m.set), w, Options{Threshold: m.model.Model.Threshold.V, Explain: explain}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
