package cuda

import "flowbench/kernels"

// Keep makes the Fleet leave what a step computes where the Machines can read it.
func (f *Fleet) Keep() { f.keep = true }

// FleetPlace is what a block needs for p of at most limit bytes, how many rows it takes
// at a time, and whether it fetches rows ahead.
func FleetPlace(p *kernels.Program, limit int) (bytes, tile int, ahead bool) {
	plan, err := newFleetPlan(&machine{program: p})
	if err == nil {
		bytes, err = plan.place(limit)
	}
	if err != nil {
		panic(err)
	}
	return bytes, int(plan.trial.tile), plan.trial.sharedNext >= 0
}

// Corrections are what a Fleet sends for the steps of machines with these optimizers,
// and how many steps it computes the biases of.
func Corrections(optimizers []kernels.Update, batches [][]kernels.Batch) (sent [][][2]float32, computed int) {
	loads := make([]fleetLoad, len(batches))
	for i := range loads {
		loads[i] = fleetLoad{machine: &machine{optimizer: optimizers[i]}, batches: batches[i]}
		loads[i].survey()
	}
	shareBiases(loads)
	seen := map[*biases]bool{}
	sent = make([][][2]float32, len(batches))
	for i, l := range loads {
		if !seen[l.biases] {
			computed += len(l.biases.known)
		}
		seen[l.biases] = true
		for _, b := range batches[i] {
			corrected, correction := l.biases.at(b.Step).corrections(b.LearningRate)
			sent[i] = append(sent[i], [2]float32{corrected, correction})
		}
	}
	return sent, computed
}
