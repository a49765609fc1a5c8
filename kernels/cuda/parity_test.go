//go:build emu || gpu

package cuda_test

import (
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/kernels/cuda"
	"flowbench/kernels/kernelstest"
)

const tableRows = 200

// models are the README's two networks, small batches.
var models = map[string]*kernels.Program{"dnn": kernelstest.DNN(48), "autoencoder": kernelstest.Autoencoder(48)}

// flows is a table of normal features with a target in every fifth row.
func flows(cols int) kernels.Data {
	rng := rand.New(rand.NewPCG(5, 6))
	d := kernels.Data{X: make([]float32, tableRows*cols), Rows: tableRows, Cols: cols, Y: make([]float32, tableRows)}
	for i := range d.X {
		d.X[i] = float32(rng.NormFloat64())
	}
	for i := range d.Y {
		if i%5 == 0 {
			d.Y[i] = 1
		}
	}
	return d
}

// trained compiles p, binds d and draws parameters from seed.
func trained(t *testing.T, b kernels.Backend, p *kernels.Program, d kernels.Data, seed uint64) kernels.Machine {
	t.Helper()
	m, err := b.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if err := m.Bind(d); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	for i, buf := range p.Buffers {
		if buf.Kind != kernels.Parameter {
			continue
		}
		v := make([]float32, buf.Len())
		for j := range v {
			v[j] = float32(rng.NormFloat64() / math.Sqrt(float64(buf.Rows)))
		}
		if err := m.Write(kernels.Buf(i), v); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// trainedOnCPU is trained on the processor, after the steps.
func trainedOnCPU(t *testing.T, p *kernels.Program, d kernels.Data, seed uint64, list []kernels.Batch) kernels.Machine {
	t.Helper()
	m := trained(t, cpu.New(), p, d, seed)
	for _, b := range list {
		if _, err := m.Train(b); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// steps are n batches of 48 rows drawn from seed.
func steps(n int, seed uint64, rate float32) []kernels.Batch { return stepsOf(48, n, seed, rate) }

// stepsOf are n batches of so many rows drawn from seed.
func stepsOf(count, n int, seed uint64, rate float32) []kernels.Batch {
	rng := rand.New(rand.NewPCG(seed, 2))
	list := make([]kernels.Batch, n)
	for i := range list {
		rows := make([]int32, count)
		for j := range rows {
			rows[j] = int32(rng.IntN(tableRows))
		}
		list[i] = kernels.Batch{Rows: rows, Step: uint64(i + 1), Seed: seed, LearningRate: rate}
	}
	return list
}

// parameters is all of m's parameters in one run.
func parameters(t *testing.T, p *kernels.Program, m kernels.Machine) []float32 {
	t.Helper()
	var all []float32
	for i, buf := range p.Buffers {
		if buf.Kind == kernels.Parameter {
			v := make([]float32, buf.Len())
			if err := m.Read(kernels.Buf(i), v); err != nil {
				t.Fatal(err)
			}
			all = append(all, v...)
		}
	}
	return all
}

// distance is ‖got-want‖/‖want‖, NaN where either has one.
func distance(got, want []float32) float64 {
	above, below := 0.0, 0.0
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		above += d * d
		below += float64(w) * float64(w)
	}
	return math.Sqrt(above / below)
}

var stepCount = flag.Int("parity-steps", paritySteps, "steps that are compared with the processor's")

// Steps on the device, layer by layer and in a fleet, must end where the processor's
// do.
func TestStepsEqualCPU(t *testing.T) {
	for name, p := range models {
		t.Run(name, func(t *testing.T) {
			d, list := flows(78), steps(*stepCount, 9, 1e-3)
			want := trainedOnCPU(t, p, d, 3, list)
			onDevice(t, func(t *testing.T, b *cuda.Backend) {
				layers, fleet := trained(t, b, p, d, 3), trained(t, b, p, d, 3)
				for _, step := range list {
					if _, err := layers.Train(step); err != nil {
						t.Fatal(err)
					}
				}
				train(t, b, []kernels.Machine{fleet}, [][]kernels.Batch{list})
				for plan, m := range map[string]kernels.Machine{"layers": layers, "fleet": fleet} {
					d := distance(parameters(t, p, m), parameters(t, p, want))
					t.Logf("%s: after %d steps parameters differ by %.2g of their norm", plan, *stepCount, d)
					if !(d <= 1e-5) {
						t.Errorf("%s: parameters differ by %.3g of their norm", plan, d)
					}
					closeAll(t, m)
				}
			})
		})
	}
}

// The coarser precisions must come as near to float32 as their operands allow, and
// no nearer: then they would not be what they are called.
func TestPrecisions(t *testing.T) {
	for precision, limit := range map[kernels.Precision][2]float64{kernels.TF32: {1e-6, 2e-3}, kernels.BFloat16: {1e-5, 2e-2}} {
		d, list := flows(78), steps(5, 9, 1e-3)
		exact, rounded := kernelstest.Autoencoder(48), kernelstest.Autoencoder(48)
		rounded.Precision = precision
		want := trained(t, cpu.New(), exact, d, 3)
		onDevice(t, func(t *testing.T, b *cuda.Backend) {
			m := trained(t, b, rounded, d, 3)
			before := make([]float32, tableRows*78)
			after := make([]float32, tableRows*78)
			rows := make([]int32, tableRows)
			for i := range rows {
				rows[i] = int32(i)
			}
			if err := errors.Join(want.Predict(rows, before), m.Predict(rows, after)); err != nil {
				t.Fatal(err)
			}
			off := distance(after, before)
			t.Logf("%v: reconstructions differ by %.2g of their norm", precision, off)
			if !(off >= limit[0] && off <= limit[1]) {
				t.Errorf("%v: reconstructions differ by %.3g of their norm, want %g to %g", precision, off, limit[0], limit[1])
			}
			results := make([]kernels.StepResult, len(list))
			if err := m.(kernels.Sequencer).TrainAll(list, results); err != nil {
				t.Fatal(err)
			}
			if last := results[len(list)-1]; last.NonFinite != kernels.None || !(last.Loss < results[0].Loss*1.05) {
				t.Errorf("%v: losses %v", precision, results)
			}
			closeAll(t, m)
		})
		if _, err := cpu.New().Compile(rounded); err == nil || !strings.Contains(err.Error(), "fp32 alone") {
			t.Errorf("the processor compiles %v: %v", precision, err)
		}
	}
}

// A weight that is no number, or two infinities that cancel, must show in what is
// scored in every precision. 0x7FFFFFFF is the NaN that a GPU makes, 0x7F800001 one
// whose upper half alone is an infinity, 0xFFFFFFFF what the emulator fills memory with.
func TestNaNStaysInEveryPrecision(t *testing.T) {
	inf := float32(math.Inf(1))
	for what, weights := range map[string][]float32{
		"a GPU's NaN":             {math.Float32frombits(0x7FFFFFFF)},
		"a NaN in the lower half": {math.Float32frombits(0x7F800001)},
		"a NaN of ones":           {math.Float32frombits(0xFFFFFFFF)},
		"infinities":              {inf, -inf},
	} {
		for _, precision := range []kernels.Precision{kernels.Float32, kernels.TF32, kernels.BFloat16} {
			p, d := kernelstest.DNN(48), flows(78)
			p.Precision = precision
			for i := range d.X[:2] {
				d.X[i] = 1
			}
			onDevice(t, func(t *testing.T, b *cuda.Backend) {
				m := trained(t, b, p, d, 3)
				for i, buf := range p.Buffers {
					if buf.Kind != kernels.Parameter || buf.Rows != 78 {
						continue
					}
					v := make([]float32, buf.Len())
					for r, w := range weights {
						v[r*buf.Cols] = w
					}
					if err := m.Write(kernels.Buf(i), v); err != nil {
						t.Fatal(err)
					}
				}
				out := []float32{0}
				if err := m.Predict([]int32{0}, out); err != nil {
					t.Fatal(err)
				}
				if out[0] == out[0] {
					t.Errorf("%s in %v is scored as %v", what, precision, out[0])
				}
				closeAll(t, m)
			})
		}
	}
}

// train runs the batches in one fleet.
func train(t *testing.T, b *cuda.Backend, machines []kernels.Machine, batches [][]kernels.Batch) [][]kernels.StepResult {
	t.Helper()
	return spreadTrain(t, b, cuda.SpreadFew, machines, batches)
}

// A trial must end with the same bits alone and among others, in one launch and in
// several.
func TestFleetTrialsAreIndependent(t *testing.T) {
	p, d := kernelstest.DNN(48), flows(78)
	onDevice(t, func(t *testing.T, b *cuda.Backend) {
		list := steps(6, 4, 1e-2)
		alone := trained(t, b, p, d, 1)
		train(t, b, []kernels.Machine{alone}, [][]kernels.Batch{list})
		want := parameters(t, p, alone)

		others := []kernels.Machine{trained(t, b, p, d, 7), trained(t, b, p, d, 1), trained(t, b, p, d, 8)}
		train(t, b, others, [][]kernels.Batch{steps(9, 5, 1e-3), list[:2], nil})
		train(t, b, others, [][]kernels.Batch{steps(1, 6, 1), list[2:], steps(3, 7, 0.1)})
		sameBits(t, parameters(t, p, others[1]), want)
		closeAll(t, append(others, alone)...)
	})
}

// A sequence of steps must leave what the steps one by one leave, and stop where
// one is not finite.
func TestSequenceEqualsSteps(t *testing.T) {
	p, d := kernelstest.Autoencoder(48), flows(78)
	onDevice(t, func(t *testing.T, b *cuda.Backend) {
		one, all := trained(t, b, p, d, 1), trained(t, b, p, d, 1)
		list := steps(13, 3, 1e-3) // the first eleven are a graph of several and some of one
		list[12].LearningRate = float32(math.Inf(1))
		list = append(list, steps(20, 3, 1e-3)[13:]...)
		results := make([]kernels.StepResult, len(list))
		if err := all.(kernels.Sequencer).TrainAll(list[:11], results[:11]); err != nil {
			t.Fatal(err)
		}
		if err := all.(kernels.Sequencer).TrainAll(list[11:], results[11:]); err != nil {
			t.Fatal(err)
		}
		for i, step := range list[:13] {
			r, err := one.Train(step)
			if err != nil || r != results[i] {
				t.Errorf("step %d: %+v (%v) alone, %+v in the sequence", i, r, err, results[i])
			}
		}
		sameBits(t, parameters(t, p, all), parameters(t, p, one))
		for _, r := range results[13:] {
			if !math.IsNaN(r.Loss) || r.NonFinite != kernels.None {
				t.Errorf("a step after the one that failed: %+v", r)
			}
		}
		closeAll(t, one, all)
	})
}

// Trials in goroutines of one group must end with the bits that each has alone.
func TestGroupTrialsAreIndependent(t *testing.T) {
	p, d := kernelstest.DNN(48), flows(78)
	device := newDevice(t)
	g := cuda.NewGroup(device)
	machines, want := make([]kernels.Machine, 5), make([][]float32, 5)
	for i := range machines {
		alone := trained(t, g.Backend, p, d, uint64(i))
		train(t, g.Backend, []kernels.Machine{alone}, [][]kernels.Batch{steps(4, uint64(i), 1e-3)})
		want[i] = parameters(t, p, alone)
		closeAll(t, alone)
		machines[i] = trained(t, g, p, d, uint64(i))
	}
	scored := make([][]float32, len(machines))
	var all sync.WaitGroup
	for i, m := range machines {
		scored[i] = make([]float32, 150)
		all.Go(func() {
			for _, step := range steps(4, uint64(i), 1e-3) {
				if err := m.(kernels.Sequencer).TrainAll([]kernels.Batch{step}, make([]kernels.StepResult, 1)); err != nil {
					t.Error(err)
				}
			}
			if err := m.Predict(someRows(len(scored[i])), scored[i]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, m := range machines {
		sameBits(t, parameters(t, p, m), want[i])
		alone := make([]float32, len(scored[i]))
		if err := m.Predict(someRows(len(alone)), alone); err != nil {
			t.Error(err)
		}
		sameBits(t, scored[i], alone)
	}
	closeAll(t, machines...)
	if err := device.Close(); err != nil {
		t.Error(err)
	}
}

// someRows is n rows of the table in an order of their own.
func someRows(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i * 7 % tableRows)
	}
	return rows
}

func sameBits(t *testing.T, got, want []float32) {
	t.Helper()
	for i, v := range got {
		if math.Float32bits(v) != math.Float32bits(want[i]) {
			t.Fatalf("parameter %d is %v, want %v", i, v, want[i])
		}
	}
}

func closeAll(t *testing.T, machines ...kernels.Machine) {
	t.Helper()
	for _, m := range machines {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A trial that diverges stops and is named; its neighbours go on.
func TestFleetTrialDiverges(t *testing.T) {
	p, d := kernelstest.DNN(48), flows(78)
	onDevice(t, func(t *testing.T, b *cuda.Backend) {
		machines := []kernels.Machine{trained(t, b, p, d, 1), trained(t, b, p, d, 2)}
		wild := steps(4, 3, 1e-3)
		wild[1].LearningRate = float32(math.Inf(1))
		results := train(t, b, machines, [][]kernels.Batch{wild, steps(4, 3, 1e-3)})
		if name := p.Buffers[max(results[0][1].NonFinite, 0)].Name; results[0][1].NonFinite == kernels.None || name != "dense0.weight" {
			t.Errorf("named %q, want the first parameter", name)
		}
		if !math.IsNaN(results[0][2].Loss) || results[0][0].NonFinite != kernels.None {
			t.Errorf("results of the trial that diverged: %+v", results[0])
		}
		for i, r := range results[1] {
			if r.NonFinite != kernels.None || !(r.Loss > 0) {
				t.Errorf("step %d of its neighbour: %+v", i, r)
			}
		}
		closeAll(t, machines...)
	})
}
