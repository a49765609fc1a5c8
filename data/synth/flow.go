package synth

import "math"

// direction is the packets that go one way.
type direction struct {
	packets int64
	sizes   sizes
	gaps    gaps
	header  int64 // bytes of all headers
	window  int64 // first TCP window, -1 where none was seen
}

// stretch is how long a flow was idle, or active between idle times: the
// meter cuts at gaps above five seconds.
type stretch struct {
	mean, std float64
	max, min  int64
}

// flow is one record before it becomes text; what it lacks follows from it.
type flow struct {
	port         int
	duration     int64 // microseconds
	fwd, bwd     direction
	gaps         gaps // over both directions
	first        int64
	segment      int64 // smallest forward header, bytes
	actData      int64 // forward packets with data, the first left out
	flags        flagSet
	active, idle stretch
}

// flagSet is a combination of TCP flags as the meter shows it: 0 or 1 a column.
type flagSet uint8

const (
	flagFIN flagSet = 1 << iota
	flagSYN         // Fwd PSH Flags repeats it
	flagRST         // ECE Flag Count repeats it
	flagPSH
	flagACK
	flagURG
)

const (
	// timeout is where the meter cuts a flow, in microseconds.
	timeout = 120_000_000
	// pause is the gap from which on a flow counts as idle.
	pause = 5_000_000
)

// newFlow turns a draw into a flow that could have been: every value is brought
// within the limits that the others set.
func newFlow(v *values, port int) flow {
	f := flow{port: port, flags: flagSet(v[flags])}
	f.duration = between(v[duration], 1, timeout)
	if few := whole(v[pair]); few > 0 {
		f.fwd.packets = few % 100
		f.bwd.packets = few/100 - f.fwd.packets
	} else {
		f.fwd.packets = max(2, whole(v[fwdPackets]))
		f.bwd.packets = max(0, whole(v[bwdRatio]*float64(f.fwd.packets)))
	}
	f.fwd.sizes = sizesOf(f.fwd.packets, shortest(v[fwdMin], v[fwdMax], v[fwdSame]), whole(v[fwdMax]), v[fwdMean], v[fwdStd])
	f.bwd.sizes = sizesOf(f.bwd.packets, shortest(v[bwdMin], v[bwdMax], v[bwdSame]), whole(v[bwdMax]), v[bwdMean], v[bwdStd])
	f.first = f.fwd.sizes.min + whole(v[first]*float64(f.fwd.sizes.max-f.fwd.sizes.min))
	f.setGaps(v)
	f.setHeaders(v)
	f.setData(v)
	f.setPauses(v)
	return f
}

// shortest is the least size of packets between low and high, or high where all are the same.
func shortest(low, high, same float64) int64 {
	if same > .5 {
		return whole(high)
	}
	return whole(low)
}

// setGaps draws the gaps of both directions and then those of the whole, whose
// smallest is no larger than theirs.
func (f *flow) setGaps(v *values) {
	whichTotal := func(at float64) int64 { return between(math.Round(at*float64(f.duration)), 0, f.duration) }
	low := whole(v[gapMin])
	if f.fwd.packets > 1 && f.bwd.packets > 0 {
		f.fwd.gaps = gapsOf(f.fwd.packets-1, whichTotal(v[fwdGapTotal]), whole(v[fwdGapMin]), v[fwdGapMax], v[fwdGapStd])
		low = min(low, f.fwd.gaps.min)
	}
	if f.bwd.packets > 1 {
		f.bwd.gaps = gapsOf(f.bwd.packets-1, whichTotal(v[bwdGapTotal]), whole(v[bwdGapMin]), v[bwdGapMax], v[bwdGapStd])
		low = min(low, f.bwd.gaps.min)
	}
	f.gaps = gapsOf(f.fwd.packets+f.bwd.packets-1, f.duration, low, v[gapMax], v[gapStd])
	if f.bwd.packets == 0 {
		f.fwd.gaps = f.gaps
	}
}

// setHeaders: headers are a multiple of four bytes, and none is shorter than the
// smallest. A flow without a forward TCP window has no TCP flags, and a backward
// window if and only if it has backward packets as well.
func (f *flow) setHeaders(v *values) {
	f.segment = whole(v[fwdSegment])
	f.fwd.header = f.fwd.packets*f.segment + 4*whole(v[fwdOptions]*float64(f.fwd.packets)/4)
	f.bwd.header = 4 * whole(v[bwdHeader]*float64(f.bwd.packets)/4)
	f.fwd.window = between(v[fwdWindow], -1, math.MaxUint16)
	f.bwd.window = -1
	if f.fwd.window < 0 {
		f.flags = 0
	} else if f.bwd.packets > 0 {
		f.bwd.window = between(v[bwdWindow], 0, math.MaxUint16)
	}
}

// setData: all forward packets carry data where none is empty, none where all
// are, and otherwise at least as many as the bytes need.
func (f *flow) setData(v *values) {
	n, s := f.fwd.packets-1, f.fwd.sizes
	switch {
	case s.max == 0:
		f.actData = 0
	case s.min > 0:
		f.actData = n
	default:
		f.actData = between(v[actData]*float64(n), (s.total+s.max-1)/s.max-1, n)
	}
}

// setPauses: the longest idle time is the longest gap. The others, and the
// active stretches, fit in what time is left.
func (f *flow) setPauses(v *values) {
	longest := f.gaps.max
	if longest <= pause || v[idle] < .5 {
		return
	}
	shortest := pause + whole(v[idleMin]*float64(longest-pause))
	if longest+shortest > f.duration {
		shortest = longest
	}
	f.idle = stretchOf(shortest, longest, v[idleMean], v[idleStd])
	high := between(v[activeMax], 0, f.duration-longest)
	f.active = stretchOf(whole(v[activeMin]*float64(high)), high, v[activeMean], v[activeStd])
}

// stretchOf: the standard deviation of two or more values is at most their range
// over the root of two.
func stretchOf(low, high int64, meanAt, std float64) stretch {
	s := stretch{mean: float64(high), max: high, min: low}
	if low < high {
		room := float64(high - low)
		s.mean = float64(low) + float64(meanAt*room)
		s.std = min(std, math.Sqrt2/2) * room
	}
	return s
}

// setDuration overrides the duration of a flow of two packets.
func (f *flow) setDuration(d int64) {
	f.duration = d
	f.gaps = gapsOf(1, d, 0, 0, 0)
	f.fwd.gaps, f.bwd.gaps = gaps{}, gaps{}
	f.active, f.idle = stretch{}, stretch{}
}

func whole(x float64) int64 { return int64(math.Round(x)) }

func between(x float64, low, high int64) int64 { return max(low, min(high, whole(x))) }
