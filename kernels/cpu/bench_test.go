package cpu_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/kernels/kernelstest"
)

// newMachine is load on the fastest level.
func newMachine(tb testing.TB, p *kernels.Program, rows int) kernels.Machine {
	tb.Helper()
	return load(tb, cpu.New(), p, rows)
}

// load compiles p with small random weights and binds random data, whose last
// row is NaN.
func load(tb testing.TB, backend kernels.Backend, p *kernels.Program, rows int) kernels.Machine {
	tb.Helper()
	m, err := backend.Compile(p)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	rng := rand.New(rand.NewPCG(1, 2))
	cols := 0
	for i, b := range p.Buffers {
		switch b.Kind {
		case kernels.Table:
			cols = b.Cols
		case kernels.Parameter, kernels.Constant:
			v := make([]float32, b.Len())
			for j := range v {
				v[j] = float32(rng.NormFloat64()) * 0.1
			}
			if err := m.Write(kernels.Buf(i), v); err != nil {
				tb.Fatal(err)
			}
		}
	}
	d := kernels.Data{X: make([]float32, rows*cols), Rows: rows, Cols: cols, Y: make([]float32, rows)}
	for i := range d.X {
		d.X[i] = float32(rng.NormFloat64())
		if i >= (rows-1)*cols {
			d.X[i] = float32(math.NaN())
		}
	}
	for i := range d.Y {
		d.Y[i] = float32(i % 2)
	}
	if err := m.Bind(d); err != nil {
		tb.Fatal(err)
	}
	return m
}

// BenchmarkTrain is one Adam step on gathered rows, for the networks and batches
// that the rulers of this project run.
func BenchmarkTrain(b *testing.B) {
	for _, network := range []struct {
		name  string
		build func(batch int) *kernels.Program
		flops float64 // a sample and step: two a multiply-add, no DX for the first layer
	}{
		{"dnn", kernelstest.DNN, 6*(78*128+128*64+64*32+32) - 2*78*128},
		{"autoencoder", kernelstest.Autoencoder, 6*2*(78*64+64*32+32*16) - 2*78*64},
		{"regularized", kernelstest.Regularized, 6 * (78*128 + 128*64 + 64*32 + 32)},
	} {
		for _, batch := range []int{64, 256, 1024} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/batch=%d/threads=%d", network.name, batch, threads), func(b *testing.B) {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
					benchmarkTrain(b, network.build(batch), batch, network.flops)
				})
			}
		}
	}
}

func benchmarkTrain(b *testing.B, p *kernels.Program, batch int, flops float64) {
	const table = 100_000
	m := newMachine(b, p, table)
	rows := make([]int32, batch)
	step := uint64(0)
	for b.Loop() {
		step++
		for i := range rows {
			rows[i] = int32(rand.IntN(table - 1))
		}
		if _, err := m.Train(kernels.Batch{Rows: rows, Step: step, Seed: 1, LearningRate: 1e-4}); err != nil {
			b.Fatal(err)
		}
	}
	samples := float64(b.N) * float64(batch) / b.Elapsed().Seconds()
	b.ReportMetric(samples, "samples/s")
	b.ReportMetric(samples*flops/1e9, "GFlop/s")
}
