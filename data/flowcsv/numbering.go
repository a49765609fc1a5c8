package flowcsv

// numbering numbers digests from 0 in order of first appearance. It takes 24 to
// 40 bytes for each, and moves only a third of that as it grows.
type numbering struct {
	n     int
	keys  pages[digest]
	slots []uint64 // open addressing: the upper half of a digest's first word, number + 1; 0 is free
	shift uint     // of the upper half, which leaves the place in slots
	seen  uint64   // what fetch saw
}

// firstSlots is a power of two; all later sizes are its multiples.
const firstSlots = 1 << 10

func newNumbering() *numbering {
	return &numbering{slots: make([]uint64, firstSlots), shift: 64 - 10}
}

// number is the number of d, and whether it has just got it. The first word of
// digests must be spread evenly.
func (t *numbering) number(d digest) (number int, isNew bool) {
	mask := len(t.slots) - 1
	tag := d[0] >> 32
	for i := int(d[0] >> t.shift); ; i = (i + 1) & mask {
		slot := t.slots[i&mask]
		if slot == 0 {
			t.slots[i&mask] = tag<<32 | uint64(t.n+1)
			break
		}
		if slot>>32 == tag {
			if number := int(uint32(slot)) - 1; *t.keys.at(number) == d {
				return number, false
			}
		}
	}
	number = t.n
	*t.keys.at(number) = d
	t.n++
	if t.n > len(t.slots)/4*3 {
		t.grow()
	}
	return number, true
}

// fetch looks at the places where the digests will be looked for. Nothing waits
// for what it sees, so that the memory of several is fetched at a time, where
// number would wait for one after the other.
func (t *numbering) fetch(digests []digest) {
	for i := range digests {
		t.seen |= t.slots[digests[i][0]>>t.shift]
	}
}

// grow doubles the slots. The upper halves suffice to place them anew.
func (t *numbering) grow() {
	if t.n >= 1<<32-2 {
		panic("flowcsv: too many distinct rows to number")
	}
	old := t.slots
	t.slots = make([]uint64, 2*len(old))
	t.shift--
	mask := len(t.slots) - 1
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		i := int(slot >> t.shift)
		for t.slots[i&mask] != 0 {
			i++
		}
		t.slots[i&mask] = slot
	}
}

// pages is a list that grows without moving what it holds.
type pages[T any] struct{ all [][]T }

const pageLength = 1 << 12

// at is the place of element i, where i is at most one page beyond the last.
func (p *pages[T]) at(i int) *T {
	if i/pageLength == len(p.all) {
		p.all = append(p.all, make([]T, pageLength))
	}
	return &p.all[i/pageLength][i%pageLength]
}
