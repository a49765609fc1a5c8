package inspect

import "math"

// Clustered is the rank correlations of columns, those that move together side by side.
type Clustered struct {
	// Columns are those that are neither constant nor equal to an earlier one, in
	// the order of the leaves of the tree.
	Columns []string `json:"columns"`
	// Spearman is symmetric, with 1 on its diagonal, on Rows evenly spaced rows.
	Spearman [][]float64 `json:"spearman"`
	Rows     int         `json:"rows"`
	// Clusters numbers the cluster of each column from 0: the tree cut where the
	// mean |Spearman| between two branches falls below Cut.
	Clusters []int   `json:"clusters"`
	Cut      float64 `json:"cut"`
}

// clusterCut is from which mean |Spearman| on columns count as one cluster: half
// of the variance of one column's ranks is in those of the other (0.7² = 0.49).
const clusterCut = 0.7

// cluster correlates the columns' ranks, and orders them by average linkage.
func cluster(f Flows, s *Summary, limit int) Clustered {
	columns := s.worthCorrelating()
	ranks := rankSample(f, columns, limit)
	out := Clustered{Cut: clusterCut}
	if len(ranks) == 0 {
		return out
	}
	out.Rows = len(ranks[0])
	r := gram(len(columns), out.Rows, func(lo, hi, column int, dst []float64) { copy(dst, ranks[column][lo:hi]) })
	for a := range r {
		r[a][a] = 1
		for b := range a {
			r[a][b] = r[b][a]
		}
	}
	order, of := linkage(r, clusterCut)
	for _, a := range order {
		out.Columns = append(out.Columns, s.Columns[columns[a]].Name)
		line := make([]float64, len(order))
		for k, b := range order {
			line[k] = r[a][b]
		}
		out.Spearman = append(out.Spearman, line)
		out.Clusters = append(out.Clusters, of[a])
	}
	return out
}

// linkage joins, again and again, the two branches between which the mean |r| is
// largest (average linkage, Sokal and Michener 1958; the first of equals), until
// one tree is left. It returns the leaves in the tree's order, the larger branch
// first, and the number of each leaf's cluster, by the order, where joins below
// cut are undone. Cost: n³ for n leaves, 77³ in a fraction of a second.
func linkage(r [][]float64, cut float64) (order, clusters []int) {
	n := len(r)
	clusters = make([]int, n)
	mean := make([][]float64, n) // between branches
	branches := make([][]int, n) // leaves of each, nil once joined
	roots := make([][][]int, n)  // the clusters of each branch, in order
	for a := range n {
		branches[a], roots[a] = []int{a}, [][]int{{a}}
		mean[a] = make([]float64, n)
		for b := range n {
			mean[a][b] = math.Abs(r[a][b])
		}
	}
	for range n - 1 {
		a, b := nearest(mean, branches)
		x, y := float64(len(branches[a])), float64(len(branches[b]))
		above := mean[a][b] >= cut // means only fall from join to join
		first, second := a, b
		if y > x {
			first, second = b, a
		}
		branches[a] = append(append([]int{}, branches[first]...), branches[second]...)
		roots[a] = append(append([][]int{}, roots[first]...), roots[second]...)
		if above {
			roots[a] = [][]int{branches[a]}
		}
		branches[b] = nil
		for c := range n {
			mean[a][c] = (x*mean[a][c] + y*mean[b][c]) / (x + y)
			mean[c][a] = mean[a][c]
		}
	}
	if n == 0 {
		return nil, nil
	}
	for number, leaves := range roots[0] {
		for _, leaf := range leaves {
			clusters[leaf] = number
		}
	}
	return branches[0], clusters
}

// nearest is the pair a < b of branches with the largest mean.
func nearest(mean [][]float64, branches [][]int) (a, b int) {
	best := math.Inf(-1)
	for i := range mean {
		for j := i + 1; j < len(mean); j++ {
			if branches[i] != nil && branches[j] != nil && mean[i][j] > best {
				best, a, b = mean[i][j], i, j
			}
		}
	}
	return a, b
}
