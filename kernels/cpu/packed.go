package cpu

// A product reads its right operand in panels: runs of columns laid out row by
// row, one after the other, so that a register tile reads memory in order.
// Weights change in every step and are packed once in it.

const (
	// panelWidth is the width of a panel for the assembly: one AVX-512 register.
	panelWidth = 16
	// plainWidth is its width for plain Go (see plain.go).
	plainWidth = 4
)

// packed is a matrix of depth×cols, or the transpose of cols×depth, in panels;
// columns beyond cols are zero.
type packed struct {
	source      []float32
	transposed  bool
	depth, cols int
	panels      []float32             // for the assembly
	quads       [][plainWidth]float32 // for plain Go
	// bias is added to every row of a product; bias is source's, start the copy
	// that is padded to whole panels (zeros where there is none).
	bias, start []float32
}

// pack registers w for packing at the start of the step.
func (c *compiler) pack(w, bias []float32, depth, cols int, transposed bool) *packed {
	p := &packed{source: w, bias: bias, transposed: transposed, depth: depth, cols: cols}
	if c.level == plain {
		p.quads = make([][plainWidth]float32, depth*blocks(cols, plainWidth))
	} else {
		p.panels = make([]float32, depth*roundUp(cols, panelWidth))
		p.start = make([]float32, roundUp(cols, 2*panelWidth))
	}
	c.packed = append(c.packed, p)
	return p
}

func (p *packed) width() int {
	if p.quads != nil {
		return plainWidth
	}
	return panelWidth
}

// panel packs one panel.
func (p *packed) panel(index int) {
	w, j := p.width(), index*p.width()
	cols := min(w, p.cols-j)
	switch {
	case p.quads != nil:
		p.quad(p.quads[index*p.depth:][:p.depth], j, cols)
	case p.transposed:
		p.transpose(p.panels[index*p.depth*w:][:p.depth*w], j, cols)
	default:
		p.copy(p.panels[index*p.depth*w:][:p.depth*w], j, cols)
	}
	if p.start != nil && p.bias != nil {
		copy(p.start[j:j+cols], p.bias[j:])
	}
}

func (p *packed) copy(dst []float32, j, cols int) {
	for k := range p.depth {
		copy(dst[k*panelWidth:][:panelWidth], p.source[k*p.cols+j:][:cols])
	}
}

func (p *packed) transpose(dst []float32, j, cols int) {
	for c := range cols {
		for k, v := range p.source[(j+c)*p.depth:][:p.depth] {
			dst[k*panelWidth+c] = v
		}
	}
}

func (p *packed) quad(dst [][plainWidth]float32, j, cols int) {
	for c := range cols {
		if p.transposed {
			for k, v := range p.source[(j+c)*p.depth:][:p.depth] {
				dst[k][c] = v
			}
			continue
		}
		for k := range dst {
			dst[k][c] = p.source[k*p.cols+j+c]
		}
	}
}

// packing is the phase that packs all weights of a list.
type packing struct {
	list   []*packed
	cells  []panelCell
	floats int
}

type panelCell struct {
	of          *packed
	first, last int // panels
}

func (p *packing) add(list []*packed) {
	const perCell = 4096 // float32: a fraction of a microsecond
	for _, w := range list {
		count, step := blocks(w.cols, w.width()), max(1, perCell/(w.depth*w.width()))
		for i := 0; i < count; i += step {
			p.cells = append(p.cells, panelCell{w, i, min(i+step, count)})
		}
		p.floats += w.depth * w.cols
	}
}

func (p *packing) run(s *step) { s.pool.run(s, p, len(p.cells), p.floats) }

func (p *packing) cell(_ *step, _ *worker, index int) {
	c := p.cells[index]
	for i := c.first; i < c.last; i++ {
		c.of.panel(i)
	}
}
