package flowcsv_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowbench/data/flowcsv"
	"flowbench/data/schema"
)

// tailed reads text that comes in pieces of so many bytes.
func tailed(opt flowcsv.Options, text string, step int) (r read, lines []int64, err error) {
	tail, err := flowcsv.NewTail("a.csv", opt)
	if err != nil {
		return r, nil, err
	}
	r.cols = len(tail.Columns())
	for at := 0; at < len(text) && err == nil; at += step {
		err = tail.Write([]byte(text[at:min(at+step, len(text))]), func(b *flowcsv.Block) error {
			r.features = append(r.features, b.Features...)
			lines = append(lines, b.Lines...)
			for _, label := range b.Labels {
				r.labels = append(r.labels, tail.Labels()[label])
			}
			return nil
		})
	}
	if err == nil {
		r.ledger, err = tail.Ledger()
	}
	return r, lines, err
}

func TestTailReadsWhatScanReads(t *testing.T) {
	lines := []string{schema.RawHeader79}
	for i := range 3000 {
		lines = append(lines, flow(schema.RawHeader79, cells{"flow_duration": strings.Repeat("9", 1+i%6), "flow_bytes/s": []string{"1", "NaN", "Infinity", ""}[i%4]}))
	}
	lines = slices.Insert(lines, 7, "", schema.RawHeader79, strings.Repeat(",", 78), "1,2,3")
	text := strings.Join(lines, "\r\n") + "\n"
	opt := flowcsv.Options{BadRows: flowcsv.Drop, Ungrouped: true, Numbered: true}
	want, err := scan(opt, textSource("a.csv", text))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{1, 3, 1000, 1 << 20, len(text)} {
		got, numbers, err := tailed(opt, text, step)
		if err != nil || !equalRead(got, want) {
			t.Fatalf("steps of %d: %v, or other rows", step, err)
		}
		if diff := cmp.Diff(want.ledger, got.ledger); diff != "" {
			t.Errorf("steps of %d: the ledger differs:\n%s", step, diff)
		}
		if numbers[0] != 2 || numbers[5] != 7 || numbers[6] != 12 || numbers[len(numbers)-1] != int64(len(lines)) {
			t.Errorf("steps of %d: rows stand in lines %v ...", step, numbers[:8])
		}
	}
}

func TestTailWaitsForTheEndOfALine(t *testing.T) {
	tail, err := flowcsv.NewTail("a.csv", flowcsv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	write := func(text string) int {
		t.Helper()
		rows = 0
		if err := tail.Write([]byte(text), func(b *flowcsv.Block) error { rows += b.Rows; return nil }); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	line := flow(schema.RawHeader79, nil)
	if write(schema.RawHeader79[:50]) != 0 || write(schema.RawHeader79[50:]+"\n"+line[:9]) != 0 || tail.Waiting() != 9 {
		t.Errorf("%d rows, %d bytes wait", rows, tail.Waiting())
	}
	if write(line[9:]) != 0 || write("\n"+line+"\n"+line) != 2 || tail.Waiting() != len(line) {
		t.Errorf("%d rows, %d bytes wait", rows, tail.Waiting())
	}
}

func TestNeededColumnsAreEnough(t *testing.T) {
	need := []string{"flow_duration", "flow_bytes/s"}
	opt := flowcsv.Options{Need: need, Ungrouped: true, Numbered: true}
	r, err := scan(opt, textSource("a.csv", "zone, Flow Bytes/s,Flow Duration\nx,2.5,7\ny,NaN,8\n"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(row int, name string) float32 {
		return r.features[row*schema.Cols+slices.Index(schema.Features(), name)]
	}
	if at(0, "flow_duration") != 7 || at(0, "flow_bytes/s") != 2.5 || at(1, "flow_duration") != 8 || at(1, "flow_bytes/s") == at(1, "flow_bytes/s") {
		t.Errorf("rows %v", r.features)
	}
	for j := range schema.Cols {
		if name := schema.Features()[j]; !slices.Contains(need, name) && (r.features[j] == r.features[j] || r.features[schema.Cols+j] == r.features[schema.Cols+j]) {
			t.Errorf("%s is %v, but the file lacks it", name, r.features[j])
		}
	}
	if diff := cmp.Diff([]string{flowcsv.Unlabelled, flowcsv.Unlabelled}, r.labels); diff != "" {
		t.Error(diff)
	}
	if r.ledger.Labels[0].MissingCells != 1 {
		t.Errorf("%d missing cells, want the NaN alone", r.ledger.Labels[0].MissingCells)
	}
	labelled, err := scan(opt, textSource("a.csv", "Label,Flow Bytes/s,Flow Duration\nBENIGN,2.5,7\nnew worm,1,8\n"))
	if err != nil || !slices.Equal(labelled.labels, []string{"BENIGN", flowcsv.Unlabelled}) {
		t.Errorf("labels %v: %v", labelled.labels, err)
	}
}

func TestAMissingNeededColumnIsNamed(t *testing.T) {
	_, err := scan(flowcsv.Options{Need: []string{"flow_duration", "flow_bytes/s", "idle_min"}}, textSource("a.csv", "Flow Durations,Flow Bytes/s\n1,2\n"))
	var at *flowcsv.Error
	if !errors.As(err, &at) || at.File != "a.csv" {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"2 of the 3 columns", "flow_duration, idle_min", `"flow_durations" looks like flow_duration`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if _, err := scan(flowcsv.Options{Need: []string{"flow_durations"}}, textSource("a.csv", "")); err == nil || !strings.Contains(err.Error(), "flow_durations") {
		t.Errorf("a need for a column that there is none of: %v", err)
	}
}

// FuzzTail reads any text cut at any steps: it gives the rows and the account
// that a scan of the whole gives, whose last line has an end.
func FuzzTail(f *testing.F) {
	f.Add(flow(schema.RawHeader79, nil)+"\r\n"+flow(schema.RawHeader79, cells{"flow_bytes/s": "Infinity"}), uint8(7))
	f.Add("\n,,\n"+schema.RawHeader79+"\n1,2\n\""+flow(schema.RawHeader79, nil), uint8(1))
	f.Fuzz(func(t *testing.T, body string, step uint8) {
		text := schema.RawHeader79 + "\n" + flow(schema.RawHeader79, nil) + "\n" + body + "\n"
		opt := flowcsv.Options{BadRows: flowcsv.Drop, Ungrouped: true, MaxLine: 1 << 12}
		want, wantErr := scan(opt, textSource("a.csv", text))
		got, _, err := tailed(opt, text, int(step)+1)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("bit by bit %v, as a whole %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if !equalRead(got, want) {
			t.Fatal("other rows bit by bit than as a whole")
		}
		if diff := cmp.Diff(want.ledger, got.ledger); diff != "" {
			t.Fatal(diff)
		}
	})
}
