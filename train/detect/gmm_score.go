package detect

import (
	"math"

	"flowbench/kernels/cpu"
)

// Scores of rows that correlated columns nearly cancel in lose digits in float32.
// So float32 only says which components may count for a row, within what it may
// be off by, and the densities of those are taken in float64.

// unseen is by how much the logarithm of a density lies below another's that
// is unchanged when it is added: e⁻⁴⁰ is 4·10⁻¹⁸.
const unseen = 40

// reach bounds how far off a component's whitened coordinates can be: by share of a
// row's length, and by the rest, that of the mean.
type reach struct{ share, rest float64 }

// reachOf is that of seenFrom(0, component). Each coordinate is a product of cols
// terms and a bias, whose vector, origin and difference are rounded besides (Higham
// 2002, section 3.1).
func (m *mixture) reachOf(component int) reach {
	vectors, bias := m.whitening(0, component)
	unit := float64(m.cols+4) * 0x1p-24
	return reach{unit * math.Sqrt(squareLength(vectors)), unit * math.Sqrt(squareLength(bias))}
}

func squareLength(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return sum
}

// exactDensities writes the logarithms of the weighted densities of rows lo to hi
// of x to the first of look.density, in float64 but where they are negligible
// beside others of their row.
func (m *mixture) exactDensities(look *look, x []float32, lo, hi int) {
	rows := look.rows[:0]
	for i := lo; i < hi; i++ {
		rows = append(rows, int32(i))
	}
	if !m.dense() {
		m.densities(look, x, rows, 0) // is float64 already
		return
	}
	if m.k > 1 {
		m.densities(look, x, rows, 0)
		cpu.SquareSums(look.squares[:len(rows)], look.moved[:len(rows)*m.cols], m.cols)
	}
	for i, r := range rows {
		density := look.density[i*m.k : (i+1)*m.k]
		floor := math.Inf(-1)
		if m.k > 1 {
			floor = m.bands(look.band, density, math.Sqrt(look.squares[i])) - unseen
		}
		for c := range density {
			if m.k == 1 || !(density[c]+look.band[c] < floor) { // so that a NaN counts
				density[c] = m.constant[c] - m.wideSquare(look.centred, x[int(r)*m.cols:(int(r)+1)*m.cols], c)/2
			}
		}
	}
}

// bands writes by how much each density of a row of that length, as seen from
// component 0, may be off; it returns what the largest is at the least.
func (m *mixture) bands(band, density []float64, length float64) (least float64) {
	least = math.Inf(-1)
	for c, d := range density {
		off := m.reach[c].share*length + m.reach[c].rest
		band[c] = off * (math.Sqrt(2*math.Max(m.constant[c]-d, 0)) + off)
		if v := d - band[c]; v > least {
			least = v
		}
	}
	return least
}

// wideSquare is the squared length of a row's whitened coordinates.
func (m *mixture) wideSquare(centred []float64, row []float32, component int) float64 {
	d, scale, sum := m.cols, m.scaleOf(component), 0.0
	mean := m.mean[component*d : (component+1)*d]
	for j, v := range row {
		centred[j] = float64(v) - mean[j]
	}
	for i := range d {
		z := wideDot(scale[i*d:i*d+i+1], centred[:i+1])
		sum += float64(z * z)
	}
	return sum
}
