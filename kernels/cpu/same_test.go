package cpu_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/kernels/kernelstest"
)

// networks are what trials train: between them they use every instruction.
var networks = []struct {
	name  string
	build func(batch int) *kernels.Program
}{
	{"dnn", kernelstest.DNN},
	{"autoencoder", kernelstest.Autoencoder},
	{"regularized", kernelstest.Regularized},
}

// trained is the bits of all that a machine keeps after steps of n rows each.
func trained(t *testing.T, backend kernels.Backend, p *kernels.Program, n, steps int) []uint32 {
	t.Helper()
	m := load(t, backend, p, 3000)
	rng := rand.New(rand.NewPCG(5, 6))
	rows := make([]int32, n)
	var bits []uint32
	for step := range uint64(steps) {
		for i := range rows {
			rows[i] = int32(rng.IntN(2999))
		}
		result, err := m.Train(kernels.Batch{Rows: rows, Step: step + 1, Seed: 3, LearningRate: 0.01})
		if err != nil || result.NonFinite != kernels.None {
			t.Fatalf("step %d: %+v, %v", step, result, err)
		}
		loss := math.Float64bits(result.Loss)
		bits = append(bits, uint32(loss>>32), uint32(loss))
	}
	for i, b := range p.Buffers {
		switch b.Kind {
		case kernels.Parameter, kernels.Gradient, kernels.Moment, kernels.Statistic:
			v := make([]float32, b.Len())
			if err := m.Read(kernels.Buf(i), v); err != nil {
				t.Fatal(err)
			}
			for _, x := range v {
				bits = append(bits, math.Float32bits(x))
			}
		}
	}
	return bits
}

func wantSame(t *testing.T, what string, got, want []uint32) {
	t.Helper()
	differ := 0
	for i := range want {
		if got[i] != want[i] {
			differ++
		}
	}
	if differ > 0 {
		t.Errorf("%s: %d of %d words differ", what, differ, len(want))
	}
}

// AVX2 and AVX-512 must train the same parameters to the bit.
func TestLevelsAgree(t *testing.T) {
	levels := cpu.Levels()
	if len(levels) < 3 {
		if os.Getenv("REQUIRE_SIMD") != "" {
			t.Fatalf("this processor and build have %s only", strings.Join(levels, ", "))
		}
		t.Skipf("this processor and build have %s only", strings.Join(levels, ", "))
	}
	for _, network := range networks {
		for _, n := range []int{1, 77, 300} {
			p := network.build(300)
			wantSame(t, fmt.Sprintf("%s, %d rows", network.name, n),
				trained(t, open(t, "avx2"), p, n, 5), trained(t, open(t, "avx512"), p, n, 5))
		}
	}
}

// Any number of threads must train the same parameters to the bit.
func TestThreadsAgree(t *testing.T) {
	for _, network := range networks {
		var want []uint32
		for _, threads := range []int{1, 2, 5} {
			previous := runtime.GOMAXPROCS(threads)
			got := trained(t, cpu.New(), network.build(700), 700, 3)
			runtime.GOMAXPROCS(previous)
			if want == nil {
				want = got
			}
			wantSame(t, fmt.Sprintf("%s, %d threads", network.name, threads), got, want)
		}
	}
}

// A Program for batches too large to keep activations of must train the same
// parameters, to the bit, as one that keeps them, on the same rows.
func TestLargeBatchesAgree(t *testing.T) {
	const kept, large = 2048, 2049
	for _, network := range networks {
		for _, n := range []int{1, 1500, kept} {
			wantSame(t, fmt.Sprintf("%s, %d rows", network.name, n),
				trained(t, cpu.New(), network.build(large), n, 2), trained(t, cpu.New(), network.build(kept), n, 2))
		}
	}
}

// Activations of a large batch are not kept; one that is not finite is named
// all the same, in whichever slice it came up.
func TestLargeBatchNamesNonFinite(t *testing.T) {
	const batch = 2500
	for _, level := range cpu.Levels() {
		for _, place := range []int{0, 700, batch - 1} {
			p := kernelstest.NewBuilder(batch, 5).Dense(3, true, kernels.Epilogue{Activation: kernels.ReLU}).
				Dense(1, true, kernels.Epilogue{}).Loss(kernels.Loss{Kind: kernels.BCE}, false).Finish(kernelstest.Adam())
			m := load(t, open(t, level), p, batch+1)
			nan := int32(batch) // its features are NaN
			rows := make([]int32, batch)
			rows[place] = nan
			result, err := m.Train(kernels.Batch{Rows: rows, Step: 1, LearningRate: 0.01})
			if err != nil {
				t.Fatal(err)
			}
			name := "nothing"
			if result.NonFinite != kernels.None {
				name = p.Buffers[result.NonFinite].Name
			}
			if name != "x" {
				t.Errorf("%s: a NaN in row %d: named %s, want x", level, place, name)
			}
		}
	}
}
