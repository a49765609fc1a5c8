package synth

import (
	"math"
	"strconv"
)

// cells appends the cells of one row, each with its comma.
type cells struct {
	text  []byte
	style numberStyle
}

func (c *cells) whole(values ...int64) {
	for _, v := range values {
		c.text = append(strconv.AppendInt(c.text, v, 10), ',')
	}
}

func (c *cells) gap(values ...int64) {
	for _, v := range values {
		c.text = append(c.style.appendGap(c.text, v), ',')
	}
}

func (c *cells) real(values ...float64) {
	for _, v := range values {
		c.text = append(c.style.appendReal(c.text, v), ',')
	}
}

// append appends the flow as a row of the 79-column form, in its order, with its
// line end. The header is schema.RawHeader79.
func (f *flow) append(text []byte, style numberStyle, label string) []byte {
	c := cells{text, style}
	c.whole(int64(f.port), f.duration, f.fwd.packets, f.bwd.packets, f.fwd.sizes.total)
	c.gap(f.bwd.sizes.total)
	c.sizes(&f.fwd)
	c.sizes(&f.bwd)
	c.real(f.perSecond(f.fwd.sizes.total+f.bwd.sizes.total), f.perSecond(f.packets()))
	c.real(f.gaps.mean(f.packets()-1), f.gaps.std)
	c.gap(f.gaps.max, f.gaps.min)
	c.gaps(&f.fwd)
	c.gaps(&f.bwd)
	c.whole(f.flag(flagSYN), 0, 0, 0, f.fwd.header, f.bwd.header)
	c.real(f.ratePerSecond(f.fwd.packets), f.ratePerSecond(f.bwd.packets))
	c.packets(f)
	c.whole(f.flag(flagFIN), f.flag(flagSYN), f.flag(flagRST), f.flag(flagPSH), f.flag(flagACK), f.flag(flagURG), 0, f.flag(flagRST))
	c.whole(f.bwd.packets / f.fwd.packets)
	c.real(f.averageSize(), f.fwd.mean(), f.bwd.mean())
	c.whole(f.fwd.header, 0, 0, 0, 0, 0, 0)
	c.whole(f.fwd.packets, f.fwd.sizes.total, f.bwd.packets, f.bwd.sizes.total)
	c.whole(f.fwd.window, f.bwd.window, f.actData, f.segment)
	c.stretch(f.active)
	c.stretch(f.idle)
	return append(append(c.text, label...), '\r', '\n')
}

func (c *cells) sizes(d *direction) {
	c.whole(d.sizes.max, d.sizes.min)
	c.real(d.mean(), d.sizes.std)
}

func (c *cells) gaps(d *direction) {
	c.gap(d.gaps.total)
	c.real(d.gaps.mean(d.packets-1), d.gaps.std)
	c.gap(d.gaps.max, d.gaps.min)
}

// packets: the sizes over both directions, in which the meter counts the first
// packet twice.
func (c *cells) packets(f *flow) {
	low, high := f.fwd.sizes.min, max(f.fwd.sizes.max, f.bwd.sizes.max)
	if f.bwd.packets > 0 {
		low = min(low, f.bwd.sizes.min)
	}
	mean, variance := f.packetSizes()
	c.whole(low, high)
	c.real(mean, math.Sqrt(variance), variance)
}

func (c *cells) stretch(s stretch) {
	c.real(s.mean, s.std)
	c.gap(s.max, s.min)
}

func (f *flow) packets() int64 { return f.fwd.packets + f.bwd.packets }

func (f *flow) flag(which flagSet) int64 {
	if f.flags&which != 0 {
		return 1
	}
	return 0
}

// perSecond is n over the duration: infinite or NaN where that is 0, as the meter has it.
func (f *flow) perSecond(n int64) float64 { return float64(n) * 1e6 / float64(f.duration) }

// ratePerSecond is the rate of one direction, which the meter leaves at 0 where
// there is no duration.
func (f *flow) ratePerSecond(n int64) float64 {
	if f.duration <= 0 {
		return 0
	}
	return f.perSecond(n)
}

func (d *direction) mean() float64 {
	if d.packets == 0 {
		return 0
	}
	return float64(d.sizes.total) / float64(d.packets)
}

func (g gaps) mean(n int64) float64 {
	if n <= 0 {
		return 0
	}
	return float64(g.total) / float64(n)
}

// packetSizes is the mean and the sample variance of all packets' sizes and the
// first one's again.
func (f *flow) packetSizes() (mean, variance float64) {
	n := float64(f.packets() + 1)
	mean = float64(f.fwd.sizes.total+f.bwd.sizes.total+f.first) / n
	around := square(float64(f.first) - mean)
	for _, d := range []*direction{&f.fwd, &f.bwd} {
		if d.packets > 0 {
			around += float64(float64(d.packets-1)*square(d.sizes.std)) + float64(float64(d.packets)*square(d.mean()-mean))
		}
	}
	return mean, around / (n - 1)
}

// averageSize divides the same sum by the packets without the repetition.
func (f *flow) averageSize() float64 {
	return float64(f.fwd.sizes.total+f.bwd.sizes.total+f.first) / float64(f.packets())
}
