package cpu

// sum is a matrix that is summed over the samples: the gradient of a parameter.
// A slot holds it with its rows padded to whole panels and to whole tiles.
type sum struct {
	offset     int // in a slot
	rows, cols int
	padded     int // rows in a slot
	stride     int // columns in a slot
	dst        []float32
}

// tileRows is the rows of the largest register tile of level.outer.
const tileRows = 8

// sum makes room in every slot for a sum by level.outer; dst, rows×cols, is
// where it ends up.
func (c *compiler) sum(dst []float32, rows, cols int) sum {
	return c.room(sum{dst: dst, rows: rows, cols: cols, padded: roundUp(rows, tileRows)})
}

// vectorSum is sum for one by level.columnSums.
func (c *compiler) vectorSum(dst []float32, cols int) sum {
	return c.room(sum{dst: dst, rows: 1, cols: cols, padded: 1})
}

func (c *compiler) room(t sum) sum {
	t.offset, t.stride = c.sums, roundUp(t.cols, panelWidth)
	c.sums += t.padded * t.stride
	c.all = append(c.all, t)
	return t
}

// of is the sum's place in a slot.
func (t sum) of(slot []float32) []float32 { return slot[t.offset : t.offset+t.padded*t.stride] }

// collect is the phase that takes a region's sums from slot 0 to the gradients.
type collect struct {
	cells  []rowCell
	floats int
}

// rowCell is rows first to last of a sum.
type rowCell struct {
	sum
	first, last int
}

func newCollect(list []sum) *collect {
	const perCell = 4096 // float32: a fraction of a microsecond
	c := &collect{}
	for _, t := range list {
		step := max(1, perCell/t.cols)
		for i := 0; i < t.rows; i += step {
			c.cells = append(c.cells, rowCell{t, i, min(i+step, t.rows)})
		}
		c.floats += t.rows * t.cols
	}
	return c
}

func (c *collect) run(s *step) { s.pool.run(s, c, len(c.cells), c.floats) }

func (c *collect) cell(s *step, _ *worker, index int) {
	part := c.cells[index]
	from := part.of(s.partials.slot(0))
	for i := part.first; i < part.last; i++ {
		copy(part.dst[i*part.cols:][:part.cols], from[i*part.stride:])
	}
	s.check(part.dst[part.first*part.cols : part.last*part.cols])
}
