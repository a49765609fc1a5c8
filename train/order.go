package train

import "flowbench/kernels"

// memberSeed derives the seed of an ensemble's member from the trial's: it is
// number member of the splitmix64 sequence (Steele, Lea, Flood 2014) that starts there.
func memberSeed(trial uint64, member int) uint64 {
	z := trial + (uint64(member)+1)*0x9e3779b97f4a7c15
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// sampler puts the rows of each epoch in order. The order is a function of
// (rows, seed, epoch) alone, so that a resumed trial sees what it would have seen.
type sampler struct {
	rows  []int32 // what one epoch goes over
	batch int
	seed  uint64

	positives, others []int32 // set where every batch is to hold a positive
	minTail           int     // a shorter last batch is left out
}

// newSampler makes the sampler of rows. With positive given, every batch, which
// is then of at least two rows, holds at least one row it says yes to: where an
// epoch has fewer positives than batches they are dealt again in a new order.
func newSampler(rows []int32, batch int, seed uint64, minTail int, positive func(row int32) bool) *sampler {
	s := &sampler{rows: rows, batch: batch, seed: seed, minTail: minTail}
	if positive != nil {
		for _, r := range rows {
			if positive(r) {
				s.positives = append(s.positives, r)
			} else {
				s.others = append(s.others, r)
			}
		}
	}
	return s
}

// steps is the number of batches of one epoch.
func (s *sampler) steps() int {
	n := s.length()
	steps := n / s.batch
	if n%s.batch >= max(s.minTail, 1) {
		steps++
	}
	return max(steps, 1)
}

func (s *sampler) length() int {
	if s.positives == nil || len(s.others) == 0 {
		return len(s.rows)
	}
	return len(s.others) + s.dealt()
}

// dealt is how many positives one epoch holds, repeats counted: at least one a
// batch, which is n·batch >= others + n.
func (s *sampler) dealt() int {
	room := s.batch - 1 // a batch's places for others
	return max(len(s.positives), (len(s.others)+room-1)/room)
}

// order is the order of an epoch, below 2³².
func (s *sampler) order(epoch int) *kernels.Order {
	o := &kernels.Order{Rows: s.rows, Batch: s.batch, Seed: s.seed, Epoch: uint64(epoch)}
	if s.positives != nil && len(s.others) > 0 {
		o.Rows, o.Positives, o.Dealt = s.others, s.positives, s.dealt()
	}
	return o
}
