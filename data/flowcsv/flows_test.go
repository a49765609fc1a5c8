package flowcsv_test

import (
	"context"
	"io"
	"strconv"
	"strings"
	"testing"

	"flowbench/data/flowcsv"
	"flowbench/data/ledger"
	"flowbench/data/schema"
)

// cells overrides the cells of a made flow by normalised column name.
type cells map[string]string

// flow is one line under the header, without line end. A number is the place of
// its column unless it is overridden.
func flow(header string, set cells) string {
	names := strings.Split(header, ",")
	line := make([]string, len(names))
	for i, raw := range names {
		name := schema.Normalize(raw)
		line[i] = strconv.Itoa(i)
		switch name {
		case "label":
			line[i] = "BENIGN"
		case "flow_id", "timestamp":
			line[i] = "x"
		case "source_ip", "src_ip":
			line[i] = "10.0.0.1"
		case "destination_ip", "dst_ip":
			line[i] = "10.0.0.2"
		case "attempted_category":
			line[i] = "-1"
		case "fwd_header_length":
			line[i] = "32"
		}
		if text, ok := set[name]; ok {
			line[i] = text
		}
	}
	return strings.Join(line, ",")
}

// file is a CSV of the header and lines, each ended by \n.
func file(header string, lines ...string) string {
	return header + "\n" + strings.Join(lines, "\n") + "\n"
}

func textSource(name, text string) flowcsv.Source {
	return flowcsv.Source{Name: name, Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}
}

// read holds everything that a scan yielded.
type read struct {
	features []float32
	labels   []string
	groups   []int64
	files    []int
	cols     int
	ledger   *ledger.Ledger
}

func scan(opt flowcsv.Options, sources ...flowcsv.Source) (read, error) {
	s, err := flowcsv.NewScanner(sources, opt)
	if err != nil {
		return read{}, err
	}
	r := read{cols: len(s.Columns())}
	r.ledger, err = s.Scan(context.Background(), func(b *flowcsv.Block) error {
		r.features = append(r.features, b.Features...)
		r.groups = append(r.groups, b.Groups...)
		for _, label := range b.Labels {
			r.labels = append(r.labels, s.Labels()[label])
			r.files = append(r.files, b.File)
		}
		return nil
	})
	return r, err
}

func mustScan(t *testing.T, opt flowcsv.Options, texts ...string) read {
	t.Helper()
	var sources []flowcsv.Source
	for i, text := range texts {
		sources = append(sources, textSource(strconv.Itoa(i)+".csv", text))
	}
	r, err := scan(opt, sources...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// value is the cell of row i in the canonical column.
func (r read) value(t *testing.T, i int, column string) float32 {
	t.Helper()
	for j, name := range append(schema.Features(), schema.Extras()...) {
		if name == column {
			return r.features[i*r.cols+j]
		}
	}
	t.Fatalf("no column %q", column)
	return 0
}
