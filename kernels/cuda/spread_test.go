//go:build emu || gpu

package cuda_test

import (
	"math"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cuda"
	"flowbench/kernels/kernelstest"
)

// spreadBatch makes three to five tiles, the last of them short.
const spreadBatch = 200

// spreadSteps are n steps of so many rows of an epoch's order, and then one of rows that
// are given, fewer than a tile.
func spreadSteps(n int, seed uint64, rate float32) []kernels.Batch {
	order := &kernels.Order{Rows: everyTableRow(), Batch: spreadBatch - 10, Seed: seed}
	var list []kernels.Batch
	for i := range n {
		list = append(list, kernels.Batch{
			Order: order, First: 0, Count: spreadBatch - 10, Step: uint64(i + 1), Seed: seed, LearningRate: rate,
		})
	}
	last := steps(n+1, seed, rate)[n]
	last.Rows = last.Rows[:20]
	return append(list, last)
}

func everyTableRow() []int32 {
	rows := make([]int32, tableRows)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// spreadTrain runs the batches in one fleet, spread or not.
func spreadTrain(t *testing.T, b *cuda.Backend, s cuda.Spread, machines []kernels.Machine, batches [][]kernels.Batch) [][]kernels.StepResult {
	t.Helper()
	f, err := b.NewFleet(machines)
	if err != nil {
		t.Fatal(err)
	}
	f.SetSpread(s)
	results, err := f.Train(batches)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return results
}

// Trials that are spread over the device must end with the bits, and report what,
// they do in a block of their own, also where one of them diverges.
func TestSpreadEqualsFleet(t *testing.T) {
	for name, p := range map[string]*kernels.Program{"dnn": kernelstest.DNN(spreadBatch), "autoencoder": kernelstest.Autoencoder(spreadBatch)} {
		t.Run(name, func(t *testing.T) {
			onDevice(t, func(t *testing.T, b *cuda.Backend) { spreadEqualsFleet(t, b, p) })
		})
	}
}

func spreadEqualsFleet(t *testing.T, b *cuda.Backend, p *kernels.Program) {
	t.Helper()
	d := flows(78)
	wild, overflow := spreadSteps(3, 3, 1e-3), spreadSteps(3, 5, 1e-3)
	wild[1].LearningRate = float32(math.Inf(1))
	overflow[0].LearningRate = 1e30 // finite parameters, but not what follows from them
	batches := [][]kernels.Batch{spreadSteps(3, 1, 1e-3), wild, nil, overflow, spreadSteps(1, 4, 1e-2)}
	results, machines := map[cuda.Spread][][]kernels.StepResult{}, map[cuda.Spread][]kernels.Machine{}
	for _, s := range []cuda.Spread{cuda.SpreadNever, cuda.SpreadAlways} {
		for i := range batches {
			machines[s] = append(machines[s], trained(t, b, p, d, uint64(i)))
		}
		results[s] = spreadTrain(t, b, s, machines[s], batches)
	}
	for i := range batches {
		sameBits(t, parameters(t, p, machines[cuda.SpreadAlways][i]), parameters(t, p, machines[cuda.SpreadNever][i]))
		for k, want := range results[cuda.SpreadNever][i] {
			got := results[cuda.SpreadAlways][i][k]
			if math.Float64bits(got.Loss) != math.Float64bits(want.Loss) || got.NonFinite != want.NonFinite {
				t.Errorf("trial %d, step %d: %+v spread, %+v in a block", i, k, got, want)
			}
		}
	}
	if r := results[cuda.SpreadAlways]; r[1][1].NonFinite == kernels.None || r[3][1].NonFinite == kernels.None || !math.IsNaN(r[1][2].Loss) {
		t.Errorf("no trial diverged: %+v", r)
	}
	if got := b.Record().Launches["spread_rows"]; got != 4 {
		t.Errorf("%d launches for 4 steps at most", got)
	}
	closeAll(t, append(machines[cuda.SpreadNever], machines[cuda.SpreadAlways]...)...)
}
