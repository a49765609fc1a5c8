package cuda

// Keep makes the Fleet leave what a step computes where the Machines can read it.
func (f *Fleet) Keep() { f.keep = true }
