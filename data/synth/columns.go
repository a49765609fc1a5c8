package synth

// column is a base column: what a flow is free to choose. scripts/synth/base.py
// defines each; the order is that of tables.json.
type column int

const (
	duration column = iota
	pair            // of few packets: their number times 100 plus the forward ones; else 0
	fwdPackets
	bwdRatio // backward packets for each forward one
	fwdSame  // above a half: all packets are as long as the longest
	fwdMax
	fwdMin
	fwdMean // means and standard deviations are places between limits, 0 to 1: moments.go
	fwdStd
	bwdSame
	bwdMax
	bwdMin
	bwdMean
	bwdStd
	first // place of the first packet's size between forward minimum and maximum
	gapMin
	gapMax
	gapStd
	fwdGapTotal // share of the duration
	fwdGapMin
	fwdGapMax
	fwdGapStd
	bwdGapTotal
	bwdGapMin
	bwdGapMax
	bwdGapStd
	fwdSegment
	fwdOptions // header bytes a packet beyond the smallest header
	bwdHeader  // header bytes a packet
	fwdWindow
	bwdWindow
	actData // share of the forward packets but the first that carry data
	flags
	idle // above a half: gaps over five seconds show as idle time
	idleMin
	idleMean
	idleStd
	activeMax
	activeMin
	activeMean
	activeStd

	columnCount
)

// String is the column's name in a file.
func (c column) String() string { return columnNames[c] }

var columnNames = [columnCount]string{
	"duration", "pair", "fwd_packets", "bwd_ratio",
	"fwd_same", "fwd_max", "fwd_min", "fwd_mean", "fwd_std",
	"bwd_same", "bwd_max", "bwd_min", "bwd_mean", "bwd_std", "first",
	"gap_min", "gap_max", "gap_std",
	"fwd_gap_total", "fwd_gap_min", "fwd_gap_max", "fwd_gap_std",
	"bwd_gap_total", "bwd_gap_min", "bwd_gap_max", "bwd_gap_std",
	"fwd_segment", "fwd_options", "bwd_header", "fwd_window", "bwd_window", "act_data", "flags",
	"idle", "idle_min", "idle_mean", "idle_std", "active_max", "active_min", "active_mean", "active_std",
}

// values is one draw of all base columns.
type values [columnCount]float64
