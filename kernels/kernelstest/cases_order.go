package kernelstest

import (
	"math"
	"slices"
	"testing"

	"flowbench/kernels"
)

// chain is a network of dense layers alone: one that a backend may train in another
// way than everything.
func chain(batch, in int) (*Builder, *kernels.Program) {
	b := NewBuilder(batch, in)
	b.Dense(17, true, b.Epilogue(kernels.ReLU, 0.2))
	b.Dense(3, true, kernels.Epilogue{})
	return b, b.Loss(kernels.Loss{Kind: kernels.SoftmaxCE, Gamma: 2}, false).Clip(1).Finish(Adam())
}

// epochs are the batches of some epochs over orders of table rows below limit, of
// all kinds: without positives, with some in every batch, dealt more than once,
// with nothing else, of one place. A list is used again, and changed for another.
func epochs(batch, limit int) []kernels.Batch {
	lists := [][]int32{someRows(1, limit, limit), someRows(2, 3, limit), someRows(3, 2*batch, limit)}
	var list []kernels.Batch
	for epoch, o := range []kernels.Order{
		{Rows: lists[0]},
		{Rows: lists[0]},
		{Rows: lists[0], Positives: lists[1], Dealt: 8},
		{Rows: lists[2], Positives: lists[0], Dealt: limit},
		{Positives: lists[1], Dealt: 2*batch - 1},
		{Rows: lists[1][:1]},
	} {
		o.Batch, o.Seed, o.Epoch = batch, 0xFEDCBA9876543210, uint64(epoch)<<29
		for first := 0; first < o.Len(); first += batch {
			list = append(list, kernels.Batch{
				Order: &o, First: first, Count: min(batch, o.Len()-first),
				Step: uint64(len(list) + 1), Seed: 3, LearningRate: 0.01,
			})
		}
	}
	return list
}

// given is the batches with their rows in the place of orders.
func given(list []kernels.Batch) []kernels.Batch {
	all := slices.Clone(list)
	for i, b := range all {
		all[i].Rows = b.TableRows(make([]int32, b.Count))
		all[i].Order, all[i].First, all[i].Count = nil, 0, 0
	}
	return all
}

// orders trains on rows that orders give and on the same rows given as such, step
// by step and, where the backend can, many steps at once: all must be the same bits.
func orders(t *testing.T, backend kernels.Backend) {
	const batch, rows, in = 19, 50, 7
	data := randomData(4, rows, in, 3)
	list := epochs(batch, rows)
	for name, network := range map[string]func(batch, in int) (*Builder, *kernels.Program){"everything": everything, "chain": chain} {
		t.Run(name, func(t *testing.T) {
			run := func(batches []kernels.Batch, together int) ([]kernels.StepResult, [][]float32) {
				b, p := network(batch, in)
				tr := newTrial(t, backend, b, p, data)
				results := tr.trainTogether(batches, together)
				tr.unchanged()
				return results, tr.lasting()
			}
			want, wantLasting := run(given(list), 1)
			for _, together := range []int{1, 4, len(list)} {
				for kind, batches := range map[string][]kernels.Batch{"given": given(list), "ordered": list, "in turn": inTurn(list)} {
					got, lasting := run(batches, together)
					if i := slices.IndexFunc(got, func(r kernels.StepResult) bool { return math.IsNaN(r.Loss) }); i >= 0 || !slices.Equal(got, want) {
						t.Errorf("%s rows, %d steps at once: results %v, want %v", kind, together, got, want)
					}
					for i := range lasting {
						if fault := sameBits(lasting[i], wantLasting[i]); fault != "" {
							t.Errorf("%s rows, %d steps at once: lasting buffer %d: %s", kind, together, i, fault)
						}
					}
				}
			}
		})
	}
}

// inTurn is the batches with every third one's rows given.
func inTurn(list []kernels.Batch) []kernels.Batch {
	all, rows := slices.Clone(list), given(list)
	for i := 0; i < len(all); i += 3 {
		all[i] = rows[i]
	}
	return all
}

// trainTogether runs so many steps in one call where the machine can, else one.
func (tr *trial) trainTogether(batches []kernels.Batch, together int) []kernels.StepResult {
	tr.t.Helper()
	var all []kernels.StepResult
	s, ok := tr.machine.(kernels.Sequencer)
	for len(batches) > 0 {
		n := min(together, len(batches))
		if ok {
			results := make([]kernels.StepResult, n)
			if err := s.TrainAll(batches[:n], results); err != nil {
				tr.t.Fatalf("TrainAll: %v", err)
			}
			all = append(all, results...)
		} else {
			for _, b := range batches[:n] {
				all = append(all, tr.train(b))
			}
		}
		batches = batches[n:]
	}
	return all
}

// orderErrors are the mistakes that an order can hold; none may change the machine.
func orderErrors(t *testing.T, backend kernels.Backend) {
	const batch, rows, in = 4, 10, 5
	b, p := chain(batch, in)
	tr := newTrial(t, backend, b, p, randomData(1, rows, in, 3))
	order := func(rows ...int32) *kernels.Order { return &kernels.Order{Rows: rows, Batch: batch} }
	for part, bad := range map[string]kernels.Batch{
		"rows of its own":            {Order: order(1), Rows: []int32{1}, Count: 1, Step: 1},
		"the batch is empty":         {Order: order(1), Step: 1},
		"has 5 rows":                 {Order: order(1, 2, 3, 4, 5, 6), Count: 5, Step: 1},
		"batches of 0 places":        {Order: &kernels.Order{Rows: []int32{1}}, Count: 1, Step: 1},
		"2 places from 2 on":         {Order: order(1, 2, 3), First: 2, Count: 2, Step: 1},
		"1 places from -1 on":        {Order: order(1, 2, 3), First: -1, Count: 1, Step: 1},
		"table row 11, want 0 to 10": {Order: order(11), Count: 1, Step: 1},
		"table row -1":               {Order: &kernels.Order{Positives: []int32{-1}, Dealt: 1, Batch: 1}, Count: 1, Step: 1},
		"the target of table row 10": {Order: order(10), Count: 1, Step: 1},
		"step 0":                     {Order: order(1), Count: 1},
	} {
		tr.refused(bad, part)
	}
	// What was right for one matrix may be wrong for the next.
	list := order(9, 8, 7, 6)
	good := kernels.Batch{Order: list, Count: 4, Step: 1}
	tr.train(good)
	if err := tr.machine.Bind(randomData(1, 7, in, 3)); err != nil {
		t.Fatal(err)
	}
	tr.refused(good, "want 0 to 7")
}

// refused wants an error of a step that holds part and changes nothing.
func (tr *trial) refused(b kernels.Batch, part string) {
	before := tr.lasting()
	_, err := tr.machine.Train(b)
	wantError(tr.t.(*testing.T), "Train", err, part)
	for i, v := range tr.lasting() {
		if fault := sameBits(v, before[i]); fault != "" {
			tr.t.Errorf("an error changed lasting buffer %d: %s", i, fault)
		}
	}
}
