package score

import (
	"context"
	"fmt"
	"math"

	"flowbench/data/scale"
	"flowbench/train"
)

// Rows are consecutive rows of an input. Its slices may be used until the call
// that they were handed to returns, or for good where Stable is set.
type Rows struct {
	First    int64     // number of the first row in the input, from 1
	Features []float32 // rows×columns of the input, missing cells as NaN
	Lines    []int64   // in the rows' file, from 1; nil where rows have no lines
	Labels   []int32   // of Input's labels
	File     string    // of all rows
	Read     int64     // bytes of the input up to here
	Stable   bool
}

// batch is rows on their way through the pipeline, with what was found. Its
// memory is used again.
type batch struct {
	rows   Rows
	scores []float64
	alerts []bool
	top    []top // of each row; only where explained is set
	told   []bool
	text   []byte // formatted, for a writer of text
	counts []count
	err    error
	done   chan struct{}

	features []float32 // the copies of what is not stable
	lines    []int64
	labels   []int32
}

// topColumns is how many columns a row's explanation names.
const topColumns = 3

// top is the columns with the largest parts in a score by size, the largest first,
// and of equals that of the lowest number; column is -1 where there are no more.
type top [topColumns]part

type part struct {
	column int32
	value  float32
}

// count is how many rows of a label there are, and how many alert.
type count struct{ rows, alerts int64 }

// take makes the batch one of these rows.
func (b *batch) take(rows Rows) {
	if !rows.Stable {
		b.features = append(b.features[:0], rows.Features...)
		b.labels = append(b.labels[:0], rows.Labels...)
		rows.Features, rows.Labels = b.features, b.labels
		if rows.Lines != nil {
			b.lines = append(b.lines[:0], rows.Lines...)
			rows.Lines = b.lines
		}
	}
	b.rows, b.err = rows, nil
}

// worker turns the rows of a batch into verdicts. It is used by one goroutine.
type worker struct {
	scorer  *train.Scorer
	scaler  *scale.Scaler
	columns []int // of the input, that the model reads
	width   int   // columns of the input
	opt     Options
	labels  int     // of the input
	format  *format // nil where the writer wants no text
	cells   *cells

	scaled, chosen, parts []float32
	which                 []int32
}

// work fills in the batch.
func (w *worker) work(ctx context.Context, b *batch) error {
	n := len(b.rows.Features) / w.width
	w.scale(b.rows.Features, n)
	b.scores = sized(b.scores, n)
	if err := w.scorer.Score(ctx, w.scaled, b.scores); err != nil {
		return fmt.Errorf("rows %d to %d: %w", b.rows.First, b.rows.First+int64(n)-1, err)
	}
	b.alerts, b.told, b.top = sized(b.alerts, n), sized(b.told, n), sized(b.top, n)
	b.counts = sized(b.counts, w.labels)
	clear(b.counts)
	for i, s := range b.scores {
		b.alerts[i] = w.opt.alert(s)
		b.told[i] = w.opt.Explain == All || w.opt.Explain == Alerts && b.alerts[i]
		c := &b.counts[b.rows.Labels[i]]
		c.rows++
		if b.alerts[i] {
			c.alerts++
		}
	}
	if err := w.explain(ctx, b); err != nil {
		return err
	}
	if w.format != nil {
		b.text = w.format.append(b.text[:0], b, w.cells)
	}
	return nil
}

// scale transforms the rows on this goroutine: a block of Transform's own size is
// not spread over others.
func (w *worker) scale(features []float32, n int) {
	const rows = 256
	cols := len(w.columns)
	w.scaled = sized(w.scaled, n*cols)
	for lo := 0; lo < n; lo += rows {
		hi := min(lo+rows, n)
		w.scaler.Transform(w.scaled[lo*cols:hi*cols], features[lo*w.width:hi*w.width], w.width, w.columns, nil)
	}
}

// explain finds the top columns of the rows that are to be told.
func (w *worker) explain(ctx context.Context, b *batch) error {
	cols := len(w.columns)
	w.which, w.chosen = w.which[:0], w.chosen[:0]
	for i, is := range b.told {
		if is {
			w.which = append(w.which, int32(i))
			w.chosen = append(w.chosen, w.scaled[i*cols:(i+1)*cols]...)
		}
	}
	if len(w.which) == 0 {
		return nil
	}
	w.parts = sized(w.parts, len(w.chosen))
	if err := w.scorer.Explain(ctx, w.chosen, w.parts); err != nil {
		return err
	}
	for k, i := range w.which {
		b.top[i] = topOf(w.parts[k*cols : (k+1)*cols])
	}
	return nil
}

// topOf finds the largest parts by size; those that are 0 weigh nothing.
func topOf(parts []float32) top {
	t := top{{column: -1}, {column: -1}, {column: -1}}
	for j, v := range parts {
		size := math.Abs(float64(v))
		at := topColumns
		for at > 0 && size > 0 && (t[at-1].column < 0 || size > math.Abs(float64(t[at-1].value))) {
			at--
		}
		if at < topColumns {
			copy(t[at+1:], t[at:topColumns-1])
			t[at] = part{int32(j), v}
		}
	}
	return t
}

// sized is n elements, in v where it has room for them; what they are is not said.
func sized[T any](v []T, n int) []T {
	if cap(v) < n {
		return make([]T, n)
	}
	return v[:n]
}
