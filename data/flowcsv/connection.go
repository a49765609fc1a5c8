package flowcsv

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// digest stands for a connection or for the values of a row: equal digests are
// taken for equal contents (the chance of a false match among 2^32 of them is
// below 2^-64).
type digest [2]uint64

// tuple is the five-tuple of a flow. The addresses point into the line.
type tuple struct {
	source, target         []byte
	sourcePort, targetPort float32
	protocol               float32
}

// digest is equal for both directions of a connection, and depends on the
// tuple alone. ok is false where a part of the tuple is missing.
func (t *tuple) digest() (d digest, ok bool) {
	ports := t.sourcePort + t.targetPort + t.protocol
	if len(t.source) == 0 || len(t.target) == 0 || math.IsNaN(float64(ports)) {
		return d, false
	}
	a, aPort, b, bPort := t.source, t.sourcePort, t.target, t.targetPort
	if order := bytes.Compare(a, b); order > 0 || order == 0 && aPort > bPort {
		a, aPort, b, bPort = b, bPort, a, aPort
	}
	var space [128]byte
	text := space[:0]
	for _, v := range [3]float32{t.protocol, aPort, bPort} {
		text = binary.LittleEndian.AppendUint32(text, math.Float32bits(v))
	}
	text = append(text, a...)
	text = append(text, 0) // no line that is read holds one
	text = append(text, b...)
	sum := sha256.Sum256(text)
	return digest{binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])}, true
}
