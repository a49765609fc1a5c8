package flowcsv_test

import (
	"encoding/csv"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"flowbench/data/flowcsv"
	"flowbench/data/schema"
)

// FuzzScan reads any text behind one of the headers, or as a whole file. What
// reads strictly must read alike when bad rows are dropped, and as the slow
// reader below reads it; every error has its place, and every ledger checks.
func FuzzScan(f *testing.F) {
	headers := []string{schema.RawHeader79, schema.RawHeader85, schema.RawHeader91}
	for i, h := range headers {
		f.Add(uint8(i), flow(h, nil)+"\r\n"+flow(h, cells{"flow_bytes/s": "Infinity", "flow_packets/s": "NaN"})+"\n")
		f.Add(uint8(i), strings.Repeat(",", len(strings.Split(h, ","))-1)+"\n"+h+"\n"+flow(h, cells{"label": "Web Attack \x96 XSS"}))
		f.Add(uint8(i), flow(h, cells{"idle_min": `" 1.25e2 "`, "label": "DoS Hulk - Attempted"})+"\n1,2,3")
		f.Add(uint8(3), h+"\n"+flow(h, nil))
	}
	f.Fuzz(func(t *testing.T, form uint8, body string) {
		text := body
		if int(form) < len(headers) {
			text = headers[form] + "\n" + body
		}
		strict, err := scan(flowcsv.Options{}, textSource("a.csv", text))
		dropping, dropErr := scan(flowcsv.Options{BadRows: flowcsv.Drop, MaxLine: 1 << 14}, textSource("a.csv", text))
		if err != nil {
			var at *flowcsv.Error
			if !errors.As(err, &at) || at.File != "a.csv" || at.Problem == "" || at.Reason == "" && dropErr == nil {
				t.Fatalf("error without place or cause: %v (dropping bad rows: %v)", err, dropErr)
			}
			return
		}
		if len(body) < 1<<14 && (dropErr != nil || !equalRead(strict, dropping)) {
			t.Fatalf("dropping bad rows changes a good file: %v", dropErr)
		}
		if slow, err := slowScan(text); err == nil && !equalRead(strict, slow) {
			t.Fatalf("got %v %v\nwant %v %v", strict.labels, strict.features, slow.labels, slow.features)
		}
	})
}

func equalRead(a, b read) bool {
	if len(a.features) != len(b.features) || strings.Join(a.labels, ";") != strings.Join(b.labels, ";") {
		return false
	}
	for i := range a.features {
		if math.Float32bits(a.features[i]) != math.Float32bits(b.features[i]) {
			return false
		}
	}
	return true
}

// slowScan is the plain reader that the fast one equals on files it accepts:
// encoding/csv and strconv.ParseFloat.
func slowScan(text string) (read, error) {
	var r read
	in := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\xef\xbb\xbf")))
	in.FieldsPerRecord, in.LazyQuotes = -1, true
	labels, err := schema.NewLabels(nil)
	if err != nil {
		return r, err
	}
	var layout *schema.Layout
	var header string
	for {
		record, err := in.Read()
		if err == io.EOF {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		joined := strings.Join(record, ",")
		switch {
		case strings.Trim(joined, ", \t\r") == "" || strings.EqualFold(squeeze(joined), header):
			continue
		case layout == nil:
			header = squeeze(joined)
			if layout, err = schema.Resolve(record, nil); err != nil {
				return r, err
			}
			continue
		}
		if err := slowRow(&r, layout, labels, record); err != nil {
			return r, err
		}
	}
}

// squeeze leaves out what column names may differ in.
func squeeze(header string) string {
	header = strings.NewReplacer(" ", "", "_", "", "\t", "", "\ufeff", "").Replace(header)
	return strings.ToLower(header)
}

func slowRow(r *read, layout *schema.Layout, labels *schema.Labels, record []string) error {
	row := make([]float32, schema.Cols)
	label, attempted := 0, false
	for i, f := range layout.Fields {
		cell := strings.TrimSpace(record[i])
		switch f.Role {
		case schema.RoleFeature:
			v, err := strconv.ParseFloat(cell, 64)
			if cell == "" || math.IsNaN(v) || math.IsInf(v, 0) {
				v = math.NaN()
			} else if err != nil {
				return err
			}
			row[f.Index] = float32(v)
		case schema.RoleLabel:
			var err error
			if label, err = labels.Parse([]byte(record[i])); err != nil {
				return err
			}
		case schema.RoleCategory:
			v, err := strconv.ParseFloat(cell, 64)
			attempted = err == nil && v != -1 && !math.IsNaN(v) && !math.IsInf(v, 0)
		}
	}
	if attempted {
		label = labels.Attempt(label)
	}
	r.features = append(r.features, row...)
	r.labels = append(r.labels, labels.Names()[label])
	return nil
}
