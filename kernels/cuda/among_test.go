//go:build emu || gpu

package cuda_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cuda"
	"flowbench/kernels/kernelstest"
)

var neighbourCount = flag.Int("neighbours", neighbours, "trials beside the one whose bits are compared")

// digest is the SHA-256 of a machine's parameters.
func digest(t *testing.T, p *kernels.Program, m kernels.Machine) string {
	t.Helper()
	h := sha256.New()
	if err := binary.Write(h, binary.LittleEndian, parameters(t, p, m)); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// The same trial twice alone, and among as many others as fill the device, whatever
// its place, must end in the same bytes, also where it is spread over the device when
// it is alone.
func TestTrialAloneAndAmongOthers(t *testing.T) {
	const count = 6
	for name, c := range map[string]struct {
		program *kernels.Program
		rows    int // of a batch
	}{"dnn": {kernelstest.DNN(48), 48}, "dnn, several tiles": {kernelstest.DNN(spreadBatch), spreadBatch}, "autoencoder": {kernelstest.Autoencoder(48), 48}} {
		t.Run(name, func(t *testing.T) {
			p := c.program
			d := flows(78)
			onDevice(t, func(t *testing.T, b *cuda.Backend) {
				run := func(others, at int) string {
					machines, batches := make([]kernels.Machine, others+1), make([][]kernels.Batch, others+1)
					for i := range machines {
						seed := uint64(100 + i)
						if i == at {
							seed = 4
						}
						machines[i], batches[i] = trained(t, b, p, d, seed), stepsOf(c.rows, count, seed, 1e-3)
					}
					train(t, b, machines, batches)
					sum := digest(t, p, machines[at])
					closeAll(t, machines...)
					return sum
				}
				alone := run(0, 0)
				if spread := b.Record().Launches["spread_rows"] > 0; spread != (c.rows > 48) {
					t.Errorf("a trial alone is spread: %v", spread)
				}
				t.Logf("alone: sha256 %s; others: %d", alone, *neighbourCount)
				for what, got := range map[string]string{
					"alone again": run(0, 0), "among others, last": run(*neighbourCount, *neighbourCount), "among others, second": run(*neighbourCount, 1),
				} {
					t.Logf("%s: sha256 %s", what, got)
					if got != alone {
						t.Errorf("%s: sha256 %s, alone %s", what, got, alone)
					}
				}
				if b.Record().Launches["fleet"] == 0 {
					t.Error("no trial had a block of its own")
				}
			})
		})
	}
}
