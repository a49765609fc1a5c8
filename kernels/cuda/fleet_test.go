//go:build emu || gpu

package cuda_test

import (
	"fmt"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cuda"
	"flowbench/kernels/kernelstest"
)

// chain is hidden layers with an epilogue and a last one as the loss wants it.
func chain(batch int, f kernels.ActivationFunc, dropRate float32, loss kernels.LossKind, widths ...int) *kernels.Program {
	n := kernelstest.NewBuilder(batch, 78)
	for i, width := range widths {
		n.Dense(width, i%2 == 0, n.Epilogue(f, dropRate))
	}
	last := map[kernels.LossKind]int{kernels.BCE: 1, kernels.SoftmaxCE: 5}[loss]
	if last == 0 {
		last = 78
	}
	n.Dense(last, true, kernels.Epilogue{})
	return n.Loss(kernels.Loss{Kind: loss, Delta: 1}, false).Finish(kernelstest.Adam())
}

// Whatever the widths, which decide how many rows of a product a thread takes and
// where rows lie in shared memory, and whatever is left for the last tile, a fleet
// must end where the processor does. Nothing is kept in the arenas, unlike in the
// suite.
func TestFleetShapesEqualCPU(t *testing.T) {
	for _, p := range []*kernels.Program{
		chain(100, kernels.ReLU, 0, kernels.BCE, 128, 64, 32),
		chain(67, kernels.ReLU, 0.5, kernels.MSE, 31, 64),
		chain(100, kernels.GELU, 0.2, kernels.MSE, 33, 17, 5),
		chain(65, kernels.Tanh, 0.3, kernels.SoftmaxCE, 66, 1, 9),
		chain(129, kernels.LeakyReLU, 0, kernels.Huber, 40, 100),
		chain(3, kernels.Identity, 0, kernels.BCE, 2, 3, 4),
		chain(20, kernels.ReLU, 0, kernels.BCE, 256, 128),
	} {
		name := fmt.Sprintf("%d rows", p.Batch)
		for _, b := range p.Buffers {
			if b.Kind == kernels.Parameter && b.Rows > 1 {
				name += fmt.Sprintf(" %d-%d", b.Rows, b.Cols)
			}
		}
		t.Run(name, func(t *testing.T) {
			d, list := flows(78), steps(3, 9, 1e-3)
			for i := range list {
				list[i].Rows = append(list[i].Rows, someRows(p.Batch)...)[:p.Batch-i]
			}
			want := trainedOnCPU(t, p, d, 3, list)
			onDevice(t, func(t *testing.T, b *cuda.Backend) {
				m := trained(t, b, p, d, 3)
				train(t, b, []kernels.Machine{m}, [][]kernels.Batch{list})
				if d := distance(parameters(t, p, m), parameters(t, p, want)); !(d <= 1e-5) {
					t.Errorf("parameters differ by %.3g of their norm", d)
				}
				closeAll(t, m)
			})
		})
	}
}

// A tile is what a block's speed hangs on: the networks that are trained most must have
// large ones in the memory that compute capability 9.0 gives a block.
func TestFleetTiles(t *testing.T) {
	for name, c := range map[string]struct {
		p    *kernels.Program
		tile int
	}{
		"78-128-64-32-1":       {kernelstest.DNN(512), 48},
		"78-64-32-16-32-64-78": {kernelstest.Autoencoder(512), 48},
		"78-256-128-1":         {chain(512, kernels.ReLU, 0, kernels.BCE, 256, 128), 48},
	} {
		if _, tile, ahead := cuda.FleetPlace(c.p, 227<<10); tile != c.tile || !ahead {
			t.Errorf("%s: %d rows at a time, want %d; rows are fetched ahead: %v", name, tile, c.tile, ahead)
		}
	}
}
