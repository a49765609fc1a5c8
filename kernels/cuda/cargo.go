package cuda

import "unsafe"

// cargo is memory on its way to the device. Places in it, aligned to 16 bytes, are
// reserved first and filled after pack has made room for all of them.
type cargo struct {
	length int      // bytes that are reserved
	words  []uint64 // the room: kept for the next cargo, and aligned for what kernels read
}

// empty begins a new cargo.
func (c *cargo) empty() { c.length = 0 }

// reserve returns the place of n bytes.
func (c *cargo) reserve(n int) Pointer {
	at := c.end()
	c.length = int(at) + n
	return at
}

// end is the first place behind what is reserved.
func (c *cargo) end() Pointer { return Pointer((c.length + 15) / 16 * 16) }

// pack makes the room, of unknown content.
func (c *cargo) pack() {
	n := (c.length + 7) / 8
	if n > cap(c.words) {
		c.words = make([]uint64, n)
	}
	c.words = c.words[:n]
}

// bytes is what is to be sent, until the next pack.
func (c *cargo) bytes() []byte { return bytesOf(c.words)[:c.length] }

// reserve returns the place of n values of T.
func reserve[T any](c *cargo, n int) Pointer {
	var v T
	return c.reserve(n * int(unsafe.Sizeof(v)))
}

// within is the n values of T at a place, to be filled.
func within[T any](c *cargo, at Pointer, n int) []T {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&c.words[at/8])), n)
}
