package synth

import (
	"math"
	"math/rand/v2"
	"slices"
)

// connection is the seed path of the connection that piece k of a file belongs to.
func (p *filePlan) connection(k int) func(part uint64) *rand.Rand {
	c, _ := p.tables.connections.at(k)
	return func(part uint64) *rand.Rand { return stream(p.seed, p.key, connectionStream, uint64(c), part) }
}

// at finds piece k: the number of its connection, counted on through the sets of
// six, and the cluster of the piece.
func (c connections) at(k int) (connection, kind int) {
	total := 0
	for _, pieces := range c.Pieces {
		for _, n := range pieces {
			total += n
		}
	}
	set := k / total
	k %= total
	for i, pieces := range c.Pieces {
		for kind, n := range pieces {
			if k < n {
				return set*len(c.Pieces) + i, kind
			}
			k -= n
		}
	}
	panic("synth: piece is of no connection")
}

// Kinds of pieces, in the order of connections.Pieces. The first two are clusters
// of the class. A leftover has up to twelve packets, as what the meter makes of
// those after a connection's first FIN (Engelen et al. 2021), and looks as the
// benign ones do: a detector has to miss some of the 36.
const (
	bulk = iota
	beacon
	leftover
)

var kindNames = [...]string{bulk: "bulk", beacon: "beacon"}

// piece draws piece k of the Infiltration connections: pieces of one connection
// and kind share a part of their scores, as they share victim, tool and task.
func (t *tables) piece(k int, own *rand.Rand, connection func(uint64) *rand.Rand) flow {
	_, kind := t.connections.at(k)
	if kind == leftover {
		c := t.leftovers.pick(0, own)
		z := c.fresh(own)
		v := c.values(&z)
		return newFlow(&v, infiltrationPort)
	}
	class := t.classes[infiltration]
	c := class.clusters[slices.IndexFunc(class.clusters, func(c *cluster) bool { return c.name == kindNames[kind] })]
	z := c.near(c.fresh(connection(uint64(kind))), math.Sqrt(t.connections.Alike), own)
	v := c.values(&z)
	return newFlow(&v, infiltrationPort)
}
