package cpu

import "flowbench/kernels"

// drawn is the rows that an Order gives a batch, made by all threads.
type drawn struct {
	order *kernels.Order
	first int
	rows  []int32 // with room for Program.Batch
}

const (
	// drawnTogether rows are drawn by one thread at a time: one run of kernels.Shuffle.
	drawnTogether = 256
	// drawnCost is what a row costs in multiply-adds, in which pool.run counts:
	// 19 ns, the least of many batches of 1,024 on an AMD EPYC, at the speed that
	// worthSharing is taken from.
	drawnCost = 600
)

// draw is b's rows, until it is called again.
func (d *drawn) draw(s *step, b kernels.Batch) []int32 {
	d.order, d.first, d.rows = b.Order, b.First, d.rows[:b.Count]
	s.pool.run(s, d, (b.Count+drawnTogether-1)/drawnTogether, b.Count*drawnCost)
	return d.rows
}

func (d *drawn) cell(_ *step, _ *worker, index int) {
	from := index * drawnTogether
	to := min(from+drawnTogether, len(d.rows))
	d.order.Fill(d.rows[from:to], d.first+from)
}
