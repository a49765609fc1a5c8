package detect

import (
	"fmt"
	"math"
	"math/bits"

	"flowbench/kernels"
	"flowbench/train/checkpoint"
)

// forestNode is a cut, or where column is negative a leaf. The branch below the
// cut comes next, the other at right.
type forestNode struct {
	column int32
	right  int32
	cut    float32 // rows up to it go below
	depth  float64 // what a leaf adds to a row's score
}

// forestTrees is the trees one after the other.
type forestTrees struct {
	sample int     // rows that each was grown from
	roots  []int32 // the first node of each
	nodes  []forestNode
}

// searchDepth is c(n), the mean depth of an unsuccessful search in a binary
// search tree of n keys: 2·H(n-1) - 2(n-1)/n with H(i) the i-th harmonic number,
// by logarithm and Euler's constant as in the paper, but for its first two values.
func searchDepth(n int) float64 {
	switch {
	case n <= 1:
		return 0
	case n == 2:
		return 1
	}
	const euler = 0.57721566490153286060651209008240243
	return 2*(math.Log(float64(n-1))+euler) - 2*float64(n-1)/float64(n)
}

// draws is the random numbers of one tree: functions of the seed, the tree and
// how many were drawn before, whoever grows it.
type draws struct {
	seed, tree uint64
	next       uint64
	words      [4]uint32
}

// forestStream keeps a forest's draws apart from others of the same seed.
const forestStream = 0x464F5245 // "FORE"

// word is 64 random bits.
func (d *draws) word() uint64 {
	if d.next%2 == 0 {
		block := d.next / 2
		d.words = kernels.Philox(
			[4]uint32{uint32(block), uint32(d.tree), uint32(d.tree >> 32), forestStream},
			[2]uint32{uint32(d.seed), uint32(d.seed >> 32)})
	}
	at := d.next % 2 * 2
	d.next++
	return uint64(d.words[at])<<32 | uint64(d.words[at+1])
}

// below is a whole number in [0, n); its bias is less than n/2⁶⁴.
func (d *draws) below(n int) int {
	high, _ := bits.Mul64(d.word(), uint64(n))
	return int(high)
}

// unit is a number in [0, 1).
func (d *draws) unit() float64 { return float64(d.word()>>11) / (1 << 53) }

// choose draws n of rows without replacement: Floyd's sample (Bentley and Floyd,
// CACM 1987), which draws n numbers whatever rows is.
func (d *draws) choose(rows, n int) []int32 {
	list := make([]int32, 0, n)
	taken := make(map[int32]bool, n)
	for last := rows - n; last < rows; last++ {
		row := int32(d.below(last + 1))
		if taken[row] {
			row = int32(last)
		}
		taken[row] = true
		list = append(list, row)
	}
	return list
}

// grower grows one tree.
type grower struct {
	Data
	draws
	limit int // depth at which a node stays a leaf
	nodes []forestNode
	ends  [][2]float32 // least and greatest of each column in a node
	free  []int32      // columns that are not constant in it
}

func growTree(data Data, seed, tree uint64, sample int) []forestNode {
	g := grower{Data: data, draws: draws{seed: seed, tree: tree}, limit: bits.Len(uint(sample - 1))}
	g.ends = make([][2]float32, data.Cols)
	g.grow(g.choose(data.Rows, sample), 0)
	return g.nodes
}

// grow adds the node of rows, and those below it.
func (g *grower) grow(rows []int32, depth int) {
	at := len(g.nodes)
	g.nodes = append(g.nodes, forestNode{column: -1, depth: float64(depth) + searchDepth(len(rows))})
	if len(rows) < 2 || depth >= g.limit {
		return
	}
	column, cut, ok := g.cut(rows)
	if !ok {
		return
	}
	split := 0
	for i, row := range rows {
		if g.X[int(row)*g.Cols+column] <= cut {
			rows[i], rows[split] = rows[split], rows[i]
			split++
		}
	}
	g.grow(rows[:split], depth+1)
	right := len(g.nodes)
	g.grow(rows[split:], depth+1)
	g.nodes[at] = forestNode{column: int32(column), right: int32(right), cut: cut}
}

// cut draws a column and a place between its ends, so that neither side is
// empty; ok is false where all rows are equal.
func (g *grower) cut(rows []int32) (column int, cut float32, ok bool) {
	copyEnds(g.ends, g.X[int(rows[0])*g.Cols:][:g.Cols])
	for _, row := range rows[1:] {
		for j, v := range g.X[int(row)*g.Cols:][:g.Cols] {
			e := &g.ends[j]
			if v < e[0] {
				e[0] = v
			}
			if v > e[1] {
				e[1] = v
			}
		}
	}
	g.free = g.free[:0]
	for j, e := range g.ends {
		if e[0] < e[1] {
			g.free = append(g.free, int32(j))
		}
	}
	if len(g.free) == 0 {
		return 0, 0, false
	}
	column = int(g.free[g.below(len(g.free))])
	low, high := float64(g.ends[column][0]), float64(g.ends[column][1])
	cut = float32(low + (high-low)*g.unit())
	if cut >= g.ends[column][1] { // rounded up to the end: nothing would lie above
		cut = g.ends[column][0]
	}
	return column, cut, true
}

func copyEnds(ends [][2]float32, row []float32) {
	for j, v := range row {
		ends[j] = [2]float32{v, v}
	}
}

// join puts trees behind those there are.
func (f *forestTrees) join(trees [][]forestNode) {
	for _, tree := range trees {
		base := int32(len(f.nodes))
		f.roots = append(f.roots, base)
		for _, n := range tree {
			if n.column >= 0 {
				n.right += base
			}
			f.nodes = append(f.nodes, n)
		}
	}
}

// depth is that of row in the tree whose first node is root.
func (f *forestTrees) depth(root int32, row []float32) float64 {
	for {
		n := &f.nodes[root]
		switch {
		case n.column < 0:
			return n.depth
		case row[n.column] <= n.cut:
			root++
		default:
			root = n.right
		}
	}
}

// tensors writes whole numbers as float64, which holds them exactly.
func (f *forestTrees) tensors() []checkpoint.Tensor {
	roots := make([]float64, len(f.roots))
	for i, r := range f.roots {
		roots[i] = float64(r)
	}
	nodes := make([]float64, 0, 4*len(f.nodes))
	for _, n := range f.nodes {
		nodes = append(nodes, float64(n.column), float64(n.right), float64(n.cut), n.depth)
	}
	return []checkpoint.Tensor{wide("roots", roots, len(roots)), wide("nodes", nodes, len(f.nodes), 4)}
}

// read reads what tensors wrote, and makes sure that every walk ends in a leaf.
func (f *forestTrees) read(file *checkpoint.File, cols int) error {
	roots, _, err := readWide(file, "roots", anySize)
	if err != nil {
		return err
	}
	nodes, dims, err := readWide(file, "nodes", anySize, 4)
	if err != nil {
		return err
	}
	for i := range dims[0] {
		v := nodes[4*i : 4*i+4]
		n := forestNode{int32(v[0]), int32(v[1]), float32(v[2]), v[3]}
		leaf := v[0] == -1 && v[3] >= 0 && v[3] <= math.MaxInt32
		// Branches lead forward, so that no walk returns.
		cut := v[0] >= 0 && v[0] < float64(cols) && v[1] > float64(i+1) && v[1] < float64(dims[0]) && v[2]-v[2] == 0
		if !leaf && !cut {
			return fmt.Errorf("node %d of the file's trees is %v", i, v)
		}
		f.nodes = append(f.nodes, n)
	}
	for _, r := range roots {
		if !(r >= 0 && r < float64(dims[0])) || r != math.Trunc(r) {
			return fmt.Errorf("a tree of the file begins at node %v of %d", r, dims[0])
		}
		f.roots = append(f.roots, int32(r))
	}
	if len(f.roots) == 0 || f.nodes[dims[0]-1].column >= 0 {
		return fmt.Errorf("the file's %d trees do not end in a leaf", len(f.roots))
	}
	return nil
}
