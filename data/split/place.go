package split

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
)

// How whole groups of rows are dealt to parts, stratified by label.
//
// Labels are taken from the rarest to the commonest. A group belongs to the
// rarest label among its rows, so that the few attacks are dealt while every
// part is still open, and the rows of other labels that come along are made
// good when those labels have their turn.
//
// Within a label the groups are shuffled by the seed, single rows to the end,
// and each goes to the part that is furthest behind its share of what has been
// dealt so far (ties: train, test, validation). With at most three parts no part
// ever ends more than one group (the label's largest) away from its share, and
// where there are enough single rows it ends within one row.
//
// A label of few groups can still be dealt badly: six connections of 17, 7, 5,
// 4, 2 and 1 rows leave a part far from its share in some orders. So up to
// maxDraws shuffles are tried, and the first is taken that leaves no part
// without a group and none further than slack from its share; where none does,
// the best of them. This keeps the choice among all good deals even, so that
// seeds differ in which connections they test on, instead of settling on the
// one best deal for every seed.
const (
	// maxDraws is for labels of few groups. Two in three orders of the six
	// connections above pass at 60/20/20 (counted over 32,000 shuffles).
	maxDraws = 64
	// drawnOnce is the number of groups from which one shuffle is enough: the
	// law of the largest group then leaves little to improve.
	drawnOnce = 4096
	// slack is the share of a label's rows by which a part may miss its share.
	slack = 0.1
)

// dealer holds the state of one deal.
type dealer struct {
	view   view
	groups grouping
	shares shares
	seed   uint64
	start  []int32 // the positions of group g are members[start[g]:start[g+1]]
	member []int32
	dealt  []int8         // group -> part
	have   [parts][]int64 // part, label -> rows dealt so far
}

// deal puts every group into one of the parts with a share above 0 and returns
// the part of every position.
func deal(v view, groups grouping, s shares, seed uint64) []int8 {
	d := &dealer{view: v, groups: groups, shares: s.normalised(), seed: seed, dealt: make([]int8, groups.count)}
	d.start, d.member = groups.members()
	for part := range d.have {
		d.have[part] = make([]int64, v.classes)
	}
	rows := v.rowsByLabel()
	for _, s := range d.strata(rows) {
		d.dealStratum(s, rows[s.label])
	}
	part := make([]int8, len(groups.of))
	for p, g := range groups.of {
		part[p] = d.dealt[g]
	}
	return part
}

// members lists the positions of every group, ascending.
func (g grouping) members() (start, member []int32) {
	start = make([]int32, g.count+1)
	for _, group := range g.of {
		start[group+1]++
	}
	for i := range g.count {
		start[i+1] += start[i]
	}
	next := slices.Clone(start)
	member = make([]int32, len(g.of))
	for p, group := range g.of {
		member[next[group]] = int32(p)
		next[group]++
	}
	return start, member
}

func (v view) rowsByLabel() []int64 {
	rows := make([]int64, v.classes)
	for _, label := range v.labels {
		rows[label]++
	}
	return rows
}

// stratum is the groups that are dealt for one label.
type stratum struct {
	label  int32
	groups []int32
	sizes  []int32 // rows of the label in each of the groups
}

// strata sorts every group under the rarest of its labels, rarest label first.
func (d *dealer) strata(rows []int64) []stratum {
	labels := make([]int32, d.view.classes)
	for i := range labels {
		labels[i] = int32(i)
	}
	slices.SortStableFunc(labels, func(a, b int32) int { return cmp.Compare(rows[a], rows[b]) })
	rank := make([]int32, len(labels))
	out := make([]stratum, len(labels))
	for i, label := range labels {
		rank[label], out[i].label = int32(i), label
	}
	for g := range d.groups.count {
		rarest := int32(len(labels))
		size := int32(0)
		for _, p := range d.member[d.start[g]:d.start[g+1]] {
			switch r := rank[d.view.labels[p]]; {
			case r < rarest:
				rarest, size = r, 1
			case r == rarest:
				size++
			}
		}
		s := &out[rarest]
		s.groups = append(s.groups, int32(g))
		s.sizes = append(s.sizes, size)
	}
	return out
}

// dealStratum deals one label's groups; total is the label's rows in play.
func (d *dealer) dealStratum(s stratum, total int64) {
	draws := maxDraws
	if len(s.groups) >= drawnOnce {
		draws = 1
	}
	var best []int8
	bestScore := score{empty: parts + 1}
	for draw := range draws {
		chosen, got := d.draw(s, draw)
		if sc := d.score(s, got, total); sc.less(bestScore) {
			best, bestScore = chosen, sc
		}
		if bestScore.empty == 0 && bestScore.miss <= max(1, slack*float64(total)) {
			break
		}
	}
	for i, g := range s.groups {
		d.dealt[g] = best[i]
		for _, p := range d.member[d.start[g]:d.start[g+1]] {
			d.have[best[i]][d.view.labels[p]]++
		}
	}
}

// draw deals the groups of s in one random order. It returns the part of each
// group of s, and what every part then holds of the label.
func (d *dealer) draw(s stratum, draw int) (chosen []int8, got [parts]int64) {
	for part := range got {
		got[part] = d.have[part][s.label]
	}
	placed := got[train] + got[validation] + got[test]
	chosen = make([]int8, len(s.groups))
	for _, i := range shuffled(s, d.seed, draw) {
		placed += int64(s.sizes[i])
		part := d.furthestBehind(got, placed)
		chosen[i] = int8(part)
		got[part] += int64(s.sizes[i])
	}
	return chosen, got
}

func (d *dealer) furthestBehind(got [parts]int64, placed int64) int {
	best, behind := noPart, math.Inf(-1)
	for _, part := range [...]int{train, test, validation} {
		gap := float64(d.shares[part]*float64(placed)) - float64(got[part])
		if d.shares[part] > 0 && gap > behind {
			best, behind = part, gap
		}
	}
	return best
}

// shuffled is the order in which the groups of s are dealt: random, and those
// of one row after all others, where they even out what the larger ones left.
func shuffled(s stratum, seed uint64, draw int) []int32 {
	var key [32]byte
	copy(key[:], "flowbench split")
	binary.LittleEndian.PutUint32(key[16:], uint32(s.label))
	binary.LittleEndian.PutUint32(key[20:], uint32(draw))
	binary.LittleEndian.PutUint64(key[24:], seed)
	random := rand.New(rand.NewChaCha8(key))

	order := make([]int32, len(s.groups))
	for i := range order {
		order[i] = int32(i)
	}
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	singles := make([]int32, 0, len(order))
	larger := order[:0]
	for _, i := range order {
		if s.sizes[i] == 1 {
			singles = append(singles, i)
		} else {
			larger = append(larger, i)
		}
	}
	return append(larger, singles...)
}

// score ranks deals of one label: first by how many parts it leaves empty that
// it could have filled, then by the largest miss of a share, in rows.
type score struct {
	empty int
	miss  float64
}

func (a score) less(b score) bool {
	return a.empty < b.empty || a.empty == b.empty && a.miss < b.miss
}

func (d *dealer) score(s stratum, got [parts]int64, total int64) score {
	sc := score{}
	open := 0
	for part, share := range d.shares {
		if share == 0 {
			continue
		}
		open++
		if got[part] == 0 {
			sc.empty++
		}
		sc.miss = max(sc.miss, math.Abs(float64(share*float64(total))-float64(got[part])))
	}
	if len(s.groups) < open {
		sc.empty = max(0, sc.empty-(open-len(s.groups)))
	}
	return sc
}
