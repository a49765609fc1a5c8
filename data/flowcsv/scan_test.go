package flowcsv_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"flowbench/data/flowcsv"
	"flowbench/data/ledger"
	"flowbench/data/schema"

	"github.com/google/go-cmp/cmp"
)

// TestForms reads a flow of each form in one call: equal measurements land in equal columns.
func TestForms(t *testing.T) {
	set := cells{
		"destination_port": "443", "dst_port": "443",
		"total_fwd_packets": "7", "total_fwd_packet": "7",
		"min_packet_length": "40", "packet_length_min": "40",
		"init_win_bytes_forward": "-1", "fwd_init_win_bytes": "-1",
		"idle_min": "0.25",
	}
	r := mustScan(t, flowcsv.Options{},
		file(schema.RawHeader79, flow(schema.RawHeader79, set)),
		file(schema.RawHeader85, flow(schema.RawHeader85, set)),
		file(schema.RawHeader91, flow(schema.RawHeader91, set)))
	if r.cols != schema.Cols || len(r.labels) != 3 {
		t.Fatalf("%d columns, %d rows", r.cols, len(r.labels))
	}
	for i := range 3 {
		for column, want := range map[string]float32{
			"destination_port": 443, "total_fwd_packets": 7, "min_packet_length": 40, "init_win_bytes_forward": -1, "idle_min": 0.25,
		} {
			if got := r.value(t, i, column); got != want {
				t.Errorf("file %d: %s is %v, want %v", i, column, got, want)
			}
		}
	}
	var forms []string
	for _, f := range r.ledger.Files {
		forms = append(forms, f.Form)
	}
	if diff := cmp.Diff([]string{"79-column", "85-column", "91-column"}, forms); diff != "" {
		t.Error(diff)
	}
}

func TestExtras(t *testing.T) {
	h := schema.RawHeader91
	r := mustScan(t, flowcsv.Options{Extras: true}, file(h, flow(h, cells{"protocol": "17", "icmp_type": "8", "total_tcp_flow_time": "0.5"})))
	for column, want := range map[string]float32{"protocol": 17, "icmp_type": 8, "total_tcp_flow_time": 0.5} {
		if got := r.value(t, 0, column); got != want {
			t.Errorf("%s is %v, want %v", column, got, want)
		}
	}
	_, err := scan(flowcsv.Options{Extras: true}, textSource("b.csv", file(schema.RawHeader85, flow(schema.RawHeader85, nil))))
	if err == nil || !strings.Contains(err.Error(), "b.csv:1: the 85-column form lacks") {
		t.Errorf("error is %v", err)
	}
}

// TestQuirks reads what copies of the data hold beside plain rows.
func TestQuirks(t *testing.T) {
	h := schema.RawHeader79
	row := flow(h, nil)
	quoted := `"` + strings.Join(strings.Split(row, ","), `","`) + `"`
	blankRow := strings.Repeat(",", 78)
	cases := []struct {
		name, text      string
		rows            int
		blank, repeated int64
	}{
		{"LF", file(h, row, row), 2, 0, 0},
		{"CRLF", strings.ReplaceAll(file(h, row, row), "\n", "\r\n"), 2, 0, 0},
		{"byte order mark", "\xef\xbb\xbf" + file(h, row), 1, 0, 0},
		{"no last line end", strings.TrimSuffix(file(h, row, row), "\n"), 2, 0, 0},
		{"quoted cells", file(h, quoted), 1, 0, 0},
		{"quoted header", file(`"`+strings.Join(strings.Split(h, ","), `","`)+`"`, row), 1, 0, 0},
		{"blanks around numbers", file(h, strings.ReplaceAll(row, ",", " , ")), 1, 0, 0},
		{"blank lines", "\n\n" + file(h, row, "", "  ", row, ""), 2, 5, 0},
		{"rows of separators", file(h, row, blankRow, blankRow), 1, 2, 0},
		{"repeated header", file(h, row, h, row), 2, 0, 1},
		{"repeated header, other blanks, CRLF, mark", file(h, row, "\xef\xbb\xbf"+strings.ReplaceAll(h, ", ", ",")+"\r", row), 2, 0, 1},
		{"row number", file(","+h, "0,"+row, "1,"+row), 2, 0, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := mustScan(t, flowcsv.Options{}, c.text)
			f := r.ledger.Files[0]
			if len(r.labels) != c.rows || f.Kept != int64(c.rows) {
				t.Errorf("%d rows, %d in the ledger, want %d", len(r.labels), f.Kept, c.rows)
			}
			if f.Blank != c.blank || f.RepeatedHeaders != c.repeated {
				t.Errorf("%d blank lines and %d repeated headers, want %d and %d", f.Blank, f.RepeatedHeaders, c.blank, c.repeated)
			}
			if f.Bytes != int64(len(c.text)) {
				t.Errorf("%d bytes, want %d", f.Bytes, len(c.text))
			}
			for i := range r.labels {
				if r.labels[i] != schema.Benign || r.value(t, i, "flow_duration") != 1 || r.value(t, i, "idle_min") != 77 {
					t.Errorf("row %d is %s %v", i, r.labels[i], r.features[i*r.cols:][:r.cols])
				}
			}
		})
	}
}

func TestMissingCells(t *testing.T) {
	h := schema.RawHeader79
	r := mustScan(t, flowcsv.Options{}, file(h,
		flow(h, cells{"flow_bytes/s": "Infinity", "flow_packets/s": "inf"}),
		flow(h, cells{"flow_bytes/s": "NaN", "flow_packets/s": "-Infinity"}),
		flow(h, cells{"flow_bytes/s": "", "flow_packets/s": "  "}),
		flow(h, cells{"flow_bytes/s": "+nan", "label": "DDoS"})))
	for i := range 4 {
		if v := r.value(t, i, "flow_bytes/s"); !math.IsNaN(float64(v)) {
			t.Errorf("row %d: flow_bytes/s is %v, want NaN", i, v)
		}
	}
	bytes, packets := r.ledger.Columns[14], r.ledger.Columns[15]
	if bytes.Infinite != 1 || bytes.NaN != 2 || bytes.Blank != 1 || packets.Infinite != 2 || packets.NaN != 0 || packets.Blank != 1 {
		t.Errorf("counted %+v and %+v", bytes, packets)
	}
	if benign := r.ledger.Labels[0]; benign.MissingRows != 3 || benign.MissingCells != 6 {
		t.Errorf("counted %+v", benign)
	}
}

// TestChunks reads the same text in pieces of any size.
func TestChunks(t *testing.T) {
	h := schema.RawHeader85
	var lines []string
	for i := range flowcsv.BlockRows + 19 {
		lines = append(lines, flow(h, cells{"flow_duration": fmt.Sprint(i % 700), "source_port": fmt.Sprint(i % 300)}))
	}
	text := file(h, lines...)
	want := mustScan(t, flowcsv.Options{}, text)
	if len(want.labels) != len(lines) {
		t.Fatalf("%d rows", len(want.labels))
	}
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"one byte": iotest.OneByteReader, "half": iotest.HalfReader, "data with error": iotest.DataErrReader,
	} {
		s := flowcsv.Source{Name: "0.csv", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(wrap(strings.NewReader(text))), nil
		}}
		got, err := scan(flowcsv.Options{}, s)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.features, got.features); diff != "" {
			t.Errorf("%s: features differ", name)
		}
		if diff := cmp.Diff(want.groups, got.groups); diff != "" {
			t.Errorf("%s: groups differ", name)
		}
		if diff := cmp.Diff(want.ledger, got.ledger); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestGroups puts both directions of a connection together, and, where there
// are no addresses, rows with equal values.
func TestGroups(t *testing.T) {
	h := schema.RawHeader85
	forth := cells{"source_ip": "10.0.0.1", "source_port": "5000", "destination_ip": "10.0.0.9", "destination_port": "80", "protocol": "6", "flow_duration": "1"}
	back := cells{"source_ip": "10.0.0.9", "source_port": "80", "destination_ip": "10.0.0.1", "destination_port": "5000", "protocol": "6"}
	udp := cells{"source_ip": "10.0.0.1", "source_port": "5000", "destination_ip": "10.0.0.9", "destination_port": "80", "protocol": "17"}
	swapped := cells{"source_ip": "10.0.0.1", "source_port": "80", "destination_ip": "10.0.0.9", "destination_port": "5000", "protocol": "6"}
	unknown := cells{"source_ip": ""}
	local := cells{"source_ip": "10.0.0.1", "source_port": "5000", "destination_ip": "10.0.0.1", "destination_port": "80", "protocol": "6", "idle_min": "1"}
	localBack := cells{"source_ip": "10.0.0.1", "source_port": "80", "destination_ip": "10.0.0.1", "destination_port": "5000", "protocol": "6", "idle_min": "1"}
	plain := schema.RawHeader79
	r := mustScan(t, flowcsv.Options{},
		file(h, flow(h, forth), flow(h, back), flow(h, udp), flow(h, forth), flow(h, swapped), flow(h, unknown), flow(h, unknown),
			flow(h, local), flow(h, localBack)),
		file(plain, flow(plain, nil), flow(plain, cells{"idle_min": "5"}), flow(plain, cells{"label": "Bot"}), flow(plain, cells{"label": "Bot"})))
	if diff := cmp.Diff([]int64{0, 0, 1, 0, 2, 3, 3, 4, 4, 5, 6, 5, 5}, r.groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	d := r.ledger.Duplicates
	if d.Connections != 4 || d.Distinct != 8 || d.Repeats != 5 || d.Conflicting != 1 {
		t.Errorf("counted %+v", d)
	}
	if diff := cmp.Diff([]ledger.Distinct{{Name: "BENIGN", Rows: 8}, {Name: "Bot", Rows: 1}}, d.Labels); diff != "" {
		t.Errorf("distinct by label (-want +got):\n%s", diff)
	}
}

func TestUngrouped(t *testing.T) {
	h := schema.RawHeader79
	r := mustScan(t, flowcsv.Options{Ungrouped: true}, file(h, flow(h, nil), flow(h, nil)))
	if len(r.groups) != 0 || r.ledger.Duplicates.Counted {
		t.Errorf("groups %v, duplicates %+v", r.groups, r.ledger.Duplicates)
	}
}

func TestAttempted(t *testing.T) {
	h := schema.RawHeader91
	text := file(h, flow(h, cells{"label": "Botnet - Attempted", "attempted_category": "0"}), flow(h, cells{"label": "DoS Hulk", "attempted_category": "3"}),
		flow(h, cells{"label": "DoS Hulk"}), flow(h, cells{"attempted_category": ""}))
	for policy, want := range map[schema.Attempted][]string{
		"":                     {"Bot - Attempted", "DoS Hulk - Attempted", "DoS Hulk", "BENIGN"},
		schema.AttemptedKeep:   {"Bot - Attempted", "DoS Hulk - Attempted", "DoS Hulk", "BENIGN"},
		schema.AttemptedBenign: {"BENIGN", "BENIGN", "DoS Hulk", "BENIGN"},
		schema.AttemptedAttack: {"Bot", "DoS Hulk", "DoS Hulk", "BENIGN"},
	} {
		r := mustScan(t, flowcsv.Options{Attempted: policy}, text)
		if diff := cmp.Diff(want, r.labels); diff != "" {
			t.Errorf("%q (-want +got):\n%s", policy, diff)
		}
		var attempted int64
		for _, label := range r.ledger.Labels {
			attempted += label.Attempted
		}
		if attempted != 2 {
			t.Errorf("%q: %d attempted in the ledger", policy, attempted)
		}
	}
}

// TestDrop leaves out one bad row of each kind and accounts for it under its label.
func TestDrop(t *testing.T) {
	h := schema.RawHeader79
	good := flow(h, nil)
	text := file(h, good,
		flow(h, cells{"flow_duration": "soon", "label": "DDoS"}),
		flow(h, cells{"flow_duration": "1e39"}),
		"1,2,3",
		good+",4",
		flow(h, cells{"label": "Weather"}),
		strings.Replace(flow(h, nil), ",33,32,35,", ",33,31,35,", 1),
		flow(h, cells{"idle_min": "7\x00"}),
		flow(h, cells{"idle_min": `"7`}),
		flow(h, cells{"flow_duration": "?", "label": "DDoS"}),
		good) + good[:100]
	r := mustScan(t, flowcsv.Options{BadRows: flowcsv.Drop}, text)
	if len(r.labels) != 2 {
		t.Errorf("%d rows kept", len(r.labels))
	}
	got := make(map[string]string)
	for _, label := range r.ledger.Labels {
		for _, d := range label.Drops {
			got[label.Name+": "+d.Reason] = fmt.Sprint(d.Rows, " from ", d.First)
		}
	}
	want := map[string]string{
		"DDoS: not a number":                       "2 from 0.csv:3",
		"BENIGN: number out of range":              "1 from 0.csv:4",
		"(unreadable): wrong number of fields":     "2 from 0.csv:5",
		"(unreadable): unlisted label":             "1 from 0.csv:7",
		"BENIGN: the two Fwd Header Length differ": "1 from 0.csv:8",
		"BENIGN: NUL byte":                         "1 from 0.csv:9",
		"(unreadable): stray or unclosed quote":    "1 from 0.csv:10",
		"(unreadable): truncated last line":        "1 from 0.csv:13",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("drops (-want +got):\n%s", diff)
	}
	if _, err := scan(flowcsv.Options{BadRows: flowcsv.Drop}, textSource("a.csv", file(h, "1,2"))); err == nil || !strings.Contains(err.Error(), "no row is left: all 1 were dropped, the first at a.csv:2") {
		t.Errorf("error is %v", err)
	}
}

func TestExtraLabelsAndIgnoredColumns(t *testing.T) {
	h := schema.RawHeader79 + ",Source File"
	text := file(h, flow(h, cells{"label": "Cryptojacking"}))
	r := mustScan(t, flowcsv.Options{Labels: []string{"Cryptojacking"}, IgnoreColumns: []string{"source file"}}, text)
	if diff := cmp.Diff([]string{"Cryptojacking"}, r.labels); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"source_file"}, r.ledger.Files[0].IgnoredColumns); diff != "" {
		t.Error(diff)
	}
}

// closer counts its closes and fails the last of them on demand.
type closer struct {
	io.Reader
	closed *int
	err    error
}

func (c closer) Close() error { *c.closed++; return c.err }

// TestEnds ends a scan early in every way: the source is closed, and the cause comes through.
func TestEnds(t *testing.T) {
	h := schema.RawHeader79
	text := file(h, flow(h, nil), flow(h, nil))
	broken := errors.New("disk on fire")
	cases := []struct {
		name    string
		in      io.Reader
		closing error
		emit    error
		cancel  bool
		want    string
	}{
		{name: "fine", in: strings.NewReader(text)},
		{name: "emit", in: strings.NewReader(text), emit: broken, want: "disk on fire"},
		{name: "close", in: strings.NewReader(text), closing: broken, want: "a.csv: reading failed: disk on fire"},
		{name: "read", in: io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), want: "a.csv:4: reading failed: disk on fire"},
		{name: "read header", in: iotest.ErrReader(broken), want: "a.csv:1: reading failed: disk on fire"},
		{name: "cancel", in: strings.NewReader(text), cancel: true, want: "context canceled"},
	}
	for _, c := range cases {
		closed := 0
		s, err := flowcsv.NewScanner([]flowcsv.Source{{Name: "a.csv", Open: func() (io.ReadCloser, error) {
			return closer{c.in, &closed, c.closing}, nil
		}}}, flowcsv.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		if c.cancel {
			cancel()
		}
		l, err := s.Scan(ctx, func(*flowcsv.Block) error { return c.emit })
		cancel()
		switch {
		case c.want == "" && (err != nil || l == nil):
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || err.Error() != c.want || l != nil):
			t.Errorf("%s: error is %v, want %s", c.name, err, c.want)
		}
		if want := map[bool]int{true: 0, false: 1}[c.cancel]; closed != want {
			t.Errorf("%s: closed %d times", c.name, closed)
		}
	}
}

func TestOptions(t *testing.T) {
	source := textSource("a.csv", "")
	for name, opt := range map[string]flowcsv.Options{
		"bad rows": {BadRows: "ignore"}, "attempted": {Attempted: "maybe"}, "longest line": {MaxLine: -1}, "extra label": {Labels: []string{"ddos"}},
	} {
		if _, err := flowcsv.NewScanner([]flowcsv.Source{source}, opt); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if _, err := flowcsv.NewScanner(nil, flowcsv.Options{}); err == nil {
		t.Error("no sources, no error")
	}
}
