package cuda

import "flowbench/kernels"

// Keep makes the Fleet leave what a step computes where the Machines can read it.
func (f *Fleet) Keep() { f.keep = true }

// FleetMemory is what a block needs for p of at most limit bytes, and whether it
// fetches rows ahead.
func FleetMemory(p *kernels.Program, limit int) (bytes int, ahead bool) {
	plan, err := newFleetPlan(&machine{program: p})
	if err == nil {
		bytes, err = plan.place(limit)
	}
	if err != nil {
		panic(err)
	}
	return bytes, plan.trial.sharedNext >= 0
}
