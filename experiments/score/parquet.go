package score

import (
	"io"

	"github.com/parquet-go/parquet-go"
)

// record is a row in Parquet. Zero columns that are optional are null.
type record struct {
	Row      int64    `parquet:"row"`
	File     string   `parquet:"file,dict"`
	Line     *int64   `parquet:"line,optional"`
	Label    *string  `parquet:"label,optional,dict"`
	Score    float64  `parquet:"score"`
	Verdict  string   `parquet:"verdict,dict"`
	Feature1 *string  `parquet:"feature_1,optional,dict"`
	Part1    *float32 `parquet:"part_1,optional"`
	Feature2 *string  `parquet:"feature_2,optional,dict"`
	Part2    *float32 `parquet:"part_2,optional"`
	Feature3 *string  `parquet:"feature_3,optional,dict"`
	Part3    *float32 `parquet:"part_3,optional"`
}

// parquetGroup bounds the rows that are held before they are written.
const parquetGroup = 1 << 17

type parquetWriter struct {
	out     *parquet.GenericWriter[record]
	names   names
	records []record
	inGroup int
}

func newParquet(out io.Writer, n names) *parquetWriter {
	return &parquetWriter{out: parquet.NewGenericWriter[record](out, parquet.Compression(&parquet.Snappy)), names: n}
}

func (w *parquetWriter) format() *format { return nil }

func (w *parquetWriter) write(b *batch) error {
	w.records = w.records[:0]
	for i := range b.scores {
		w.records = append(w.records, w.record(b, i))
	}
	if _, err := w.out.Write(w.records); err != nil {
		return err
	}
	if w.inGroup += len(w.records); w.inGroup >= parquetGroup {
		w.inGroup = 0
		return w.out.Flush()
	}
	return nil
}

func (w *parquetWriter) record(b *batch, i int) record {
	r := record{Row: b.rows.First + int64(i), File: b.rows.File, Score: b.scores[i], Verdict: verdict(b.alerts[i])}
	if b.rows.Lines != nil {
		r.Line = &b.rows.Lines[i]
	}
	if label := w.names.label(b, i); label != "" {
		r.Label = &label
	}
	if !b.told[i] {
		return r
	}
	features, parts := []**string{&r.Feature1, &r.Feature2, &r.Feature3}, []**float32{&r.Part1, &r.Part2, &r.Part3}
	for k := range b.top[i] {
		if p := &b.top[i][k]; p.column >= 0 {
			*features[k], *parts[k] = &w.names.columns[p.column], &p.value
		}
	}
	return r
}

// Close writes the last rows and the footer.
func (w *parquetWriter) Close() error { return w.out.Close() }
