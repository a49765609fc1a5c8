package export

import (
	"fmt"

	"flowbench/train/detect"
	"flowbench/train/export/onnx"
)

// chunkRows is how many kept rows distances are taken to at once: of a batch of
// 512 rows they are 16 MB.
const chunkRows = 4096

// spare is how many neighbours on either side of the wanted one are measured
// again. Squared lengths of scaled flows are up to some 10⁵, so that float64 tells
// |c|² - 2·x·c apart to 10⁻¹⁰: no more rows than these were ever seen that near
// to each other and to a third.
const spare = 3

// nearest adds the score of kept rows.
func (b *builder) nearest(n *detect.Nearest, x onnx.Value) (onnx.Value, error) {
	rows, cols, k, usual := n.Neighbours()
	found, err := b.neighbour(rows, cols, k, x)
	if err != nil || usual == nil {
		return b.Unary("Sqrt", found.square), err
	}
	difference := b.Op("GatherND", []onnx.Value{found.differences, found.at}, onnx.Attribute{Name: "batch_dims", Value: 1})
	relative := b.Binary("Div", b.Unary("Abs", difference), b.Doubles("usual", usual, 1, cols))
	return b.MeanRows(b.square(b.Unary("Log", b.Binary("Add", b.Double("one", 1), relative)))), nil
}

// neighbour is the one that counts of each row: its squared distance, [N, 1], and
// its place, [N, 1], among the differences to those around it, [N, n, cols].
type neighbour struct{ square, at, differences onnx.Value }

// neighbour adds the search of the k-th nearest of rows, of equally near ones the
// first first. Which rows are near is asked of |c|² - 2·x·c, as seen from the rows'
// mean, a chunk of rows after the other, so that a batch takes memory for a chunk
// of distances only. Those around the k-th are then measured by their differences.
func (b *builder) neighbour(rows []float32, cols, k int, x onnx.Value) (neighbour, error) {
	count := len(rows) / cols
	if bytes := 4 * len(rows); bytes > onnx.MostBytes {
		return neighbour{}, &UnsupportedError{b.model.Config.Model.Kind, fmt.Sprintf("it keeps %d rows of %d columns, %.1f GB, and a file of ONNX holds 2 GB", count, cols, float64(bytes)/1e9)}
	}
	wide, kept := b.Cast(x, onnx.Float64), b.Floats("rows", rows, count, cols)
	origin := b.Doubles("origin", middle(rows, cols), 1, cols)
	lo, hi := max(k-1-spare, 0), min(k+spare, count)
	near := b.near(b.Binary("Sub", wide, origin), kept, origin, count, hi)
	places, _ := b.Smallest(b.Columns(near, lo, hi), hi-lo) // in the order of the rows
	there := b.Cast(b.Op("Gather", []onnx.Value{kept, places}, onnx.Attribute{Name: "axis", Value: 0}), onnx.Float64)
	differences := b.Binary("Sub", b.Op("Unsqueeze", []onnx.Value{wide, b.Ints("axes", []int64{1}, 1)}), there)
	squares := b.Op("ReduceSum", []onnx.Value{b.square(differences), b.Ints("axes", []int64{2}, 1)}, onnx.Attribute{Name: "keepdims", Value: 0})
	rising, order := b.Smallest(squares, hi-lo)
	rank := k - 1 - lo
	return neighbour{b.Columns(rising, rank, rank+1), b.Columns(order, rank, rank+1), differences}, nil
}

// middle is the mean of rows.
func middle(rows []float32, cols int) []float64 {
	sum := make([]float64, cols)
	for i, v := range rows {
		sum[i%cols] += float64(v)
	}
	for j := range sum {
		sum[j] /= float64(len(rows) / cols)
	}
	return sum
}

// near adds the places of the k nearest of the kept rows, [N, k], nearest first.
func (b *builder) near(moved, kept, origin onnx.Value, count, k int) onnx.Value {
	var distances, places onnx.Value
	for lo := 0; lo < count; lo += chunkRows {
		hi := min(lo+chunkRows, count)
		part := b.Binary("Sub", b.Cast(b.Rows(kept, lo, hi), onnx.Float64), origin)
		squares := b.Op("Transpose", []onnx.Value{b.SumRows(b.square(part))})
		all := b.Op("Gemm", []onnx.Value{moved, part, squares}, onnx.Attribute{Name: "alpha", Value: float32(-2)}, onnx.Attribute{Name: "transB", Value: 1})
		found, at := b.Smallest(all, min(k, hi-lo))
		at = b.Binary("Add", at, b.Ints("first", []int64{int64(lo)}, 1))
		if lo == 0 {
			distances, places = found, at
			continue
		}
		distances, places = b.beside(distances, found), b.beside(places, at)
		var order onnx.Value
		distances, order = b.Smallest(distances, min(k, hi))
		places = b.pick(places, order)
	}
	return places
}

// beside puts the columns of c behind those of a.
func (b *builder) beside(a, c onnx.Value) onnx.Value {
	return b.Op("Concat", []onnx.Value{a, c}, onnx.Attribute{Name: "axis", Value: 1})
}

// pick takes of each row of values those at the places.
func (b *builder) pick(values, places onnx.Value) onnx.Value {
	return b.Op("GatherElements", []onnx.Value{values, places}, onnx.Attribute{Name: "axis", Value: 1})
}
