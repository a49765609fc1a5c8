package synth

import (
	"math/rand/v2"

	"flowbench/data/schema"
)

// How alike the rows of a file are.
const (
	// nearScores is the correlation of the scores of a row with those of the row it resembles.
	// With it the median distance of a benign row to its nearest neighbour is that of the real sample.
	nearScores = .995
	// shortPackets is the most packets of a flow that is repeated to the bit: of the
	// repeated rows of the real sample nine in ten have as few.
	shortPackets = 4
	// recalled is how many earlier short rows of a class a repetition chooses from.
	recalled = 32
)

// memory is what the rows of a class in one block refer back to.
type memory struct {
	short [][]byte // texts of short rows
	last  map[*cluster]scores
}

// duplicates is the share of a label's rows that repeat an earlier one to the
// bit. Of the full data 307,078 rows do, most of them PortScan (43 %), DoS Hulk
// (25 %) and benign (8 %); the figures here are lower by what short flows repeat
// by chance.
func duplicates(label string) float64 {
	switch label {
	case schema.Benign:
		return .046
	case "PortScan":
		return .425
	case "DoS Hulk", "FTP-Patator":
		return .25
	case "SSH-Patator":
		return .45
	case "DoS Slowhttptest":
		return .05
	case "DoS slowloris":
		return .01
	}
	return 0
}

// block makes the text of block b.
func (p *filePlan) block(b int) []byte {
	rng := stream(p.seed, p.key, blockStream, uint64(b))
	text := make([]byte, 0, 400*blockRows)
	memories := make(map[*class]*memory)
	for _, s := range p.slots(b, rng) {
		m := memories[s.segment.class]
		if m == nil {
			m = &memory{last: make(map[*cluster]scores)}
			memories[s.segment.class] = m
		}
		text = p.row(text, s, m, rng)
	}
	return text
}

// row appends one row.
func (p *filePlan) row(text []byte, s slot, m *memory, rng *rand.Rand) []byte {
	if s.segment.label == infiltration {
		f := p.tables.piece(s.k, stream(p.seed, p.key, pieceStream, uint64(s.k)), p.connection(s.k))
		return f.append(text, p.style, s.segment.label)
	}
	odd := s.segment.oddity(s.k)
	if odd == sound && len(m.short) > 0 && rng.Float64() < duplicates(s.segment.label) {
		return append(text, m.short[rng.IntN(len(m.short))]...)
	}
	f := s.segment.draw(m, odd, rng)
	from := len(text)
	text = f.append(text, p.style, s.segment.label)
	if odd == sound && (s.segment.label != schema.Benign || f.packets() <= shortPackets) {
		m.remember(text[from:], rng)
	}
	return text
}

func (s *segment) draw(m *memory, odd oddity, rng *rand.Rand) flow {
	c := s.class.pick(s.mix, rng)
	last, again := m.last[c]
	var z scores
	if again && rng.Float64() < c.alike {
		z = c.near(last, nearScores, rng)
	} else {
		z = c.fresh(rng)
	}
	m.last[c] = z
	v := c.values(&z)
	odd.shape(&v, rng)
	f := newFlow(&v, c.ports.port(rng))
	odd.apply(&f, rng)
	return f
}

// remember keeps a row for repetition, in the place of a random one when full.
// text is a slice of the block, whose bytes do not change once written.
func (m *memory) remember(text []byte, rng *rand.Rand) {
	if len(m.short) < recalled {
		m.short = append(m.short, text)
		return
	}
	m.short[rng.IntN(recalled)] = text
}
