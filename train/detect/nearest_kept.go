package detect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"flowbench/train/checkpoint"
)

// keptRows is training rows that a detector keeps to measure distances from.
type keptRows struct{ *atlas }

// keepRows copies chosen rows of x, or with nil all.
func keepRows(ctx context.Context, x []float32, cols int, chosen []int32) (keptRows, error) {
	a, err := newAtlas(ctx, newSketcher(x, cols), x, chosen)
	return keptRows{a}, err
}

// scoreChunk is how many rows are scored at once: their copies are 20 MB of 78
// columns.
const scoreChunk = 1 << 16

// nearest calls take once for every row of x with its k nearest kept rows and
// what returns one of them. Calls come from several goroutines.
func (r keptRows) nearest(x []float32, k int, take func(row int, found []neighbour, kept func(int32) []float32)) {
	kept := func(place int32) []float32 { return r.row(int(place)) }
	ctx := context.Background()
	for lo := 0; lo*r.cols < len(x); lo += scoreChunk {
		part := x[lo*r.cols : min((lo+scoreChunk)*r.cols, len(x))]
		q, _ := newAtlas(ctx, r.sketcher, part, nil)
		s := nearestSearch{in: r.atlas, k: k}
		s.each(ctx, q, newWatch(nil, "", 0), func(place int, found []neighbour) {
			take(lo+int(q.order[place]), found, kept)
		})
	}
}

// tensor is the rows in the order in which they were given.
func (r keptRows) tensor(name string) checkpoint.Tensor {
	places := make([]int32, r.rows)
	for i := range places {
		places[i] = int32(i)
	}
	slices.SortFunc(places, func(a, b int32) int { return cmp.Compare(r.order[a], r.order[b]) })
	data := make([]float32, 0, len(r.x))
	for _, place := range places {
		data = append(data, r.row(int(place))...)
	}
	return checkpoint.Tensor{Name: name, Shape: []int{r.rows, r.cols}, Data: data}
}

// readKept reads what tensor made.
func readKept(f *checkpoint.File, name string, s shape) (keptRows, error) {
	x, dims, err := readNarrow(f, name, anySize, s.cols)
	if err != nil {
		return keptRows{}, err
	}
	if dims[0] == 0 {
		return keptRows{}, fmt.Errorf("tensor %q has no rows", name)
	}
	if err := checkFinite(x, s); err != nil {
		return keptRows{}, fmt.Errorf("tensor %q: %w", name, err)
	}
	return keepRows(context.Background(), x, s.cols, nil)
}

// addFacts writes what a detector settled on into its file.
func addFacts(f *checkpoint.File, facts any) error {
	text, err := json.Marshal(facts)
	if err == nil {
		f.Metadata["facts"] = string(text)
	}
	return err
}

// readFacts reads what addFacts wrote.
func readFacts(f *checkpoint.File, facts any) error {
	text, is := f.Metadata["facts"]
	if !is {
		return errors.New("the file has no facts")
	}
	if err := json.Unmarshal([]byte(text), facts); err != nil {
		return fmt.Errorf("the file's facts: %w", err)
	}
	return nil
}
