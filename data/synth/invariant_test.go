package synth_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// flowRow is one row of numbers, read by column name.
type flowRow []float64

func (r flowRow) at(name string) float64 {
	i, ok := columnOf[name]
	if !ok {
		panic("test: no column " + name)
	}
	return r[i]
}

// rounding is how far a value of the files may be from the one it stands for:
// ten digits, or three from ten million on.
func rounding(v float64) float64 {
	if math.Abs(v) >= .99e7 {
		return 5.1e-3 * math.Abs(v)
	}
	return 2e-9 * math.Max(1, math.Abs(v))
}

func same(got, want float64) bool { return math.Abs(got-want) <= rounding(want) }

// notAbove allows for the same rounding.
func notAbove(low, high float64) bool { return low <= high || same(low, high) }

// tie is something that holds between the columns of a row.
type tie struct {
	name  string
	holds func(r flowRow) bool
}

func equal(name string, got, want func(r flowRow) float64) tie {
	return tie{name, func(r flowRow) bool { return same(got(r), want(r)) }}
}

func col(name string) func(flowRow) float64 {
	return func(r flowRow) float64 { return r.at(name) }
}

func (r flowRow) packets() float64 {
	return r.at("total_fwd_packets") + r.at("total_backward_packets")
}

// bytes uses the subflows, which no file rounds.
func (r flowRow) bytes() float64 { return r.at("subflow_fwd_bytes") + r.at("subflow_bwd_bytes") }

// ordinary rows have none of the meter's rare faults.
func (r flowRow) ordinary() bool {
	return r.at("flow_duration") > 0 && r.at("flow_iat_min") >= 0 && r.at("fwd_header_length") >= 0 && r.at("bwd_header_length") >= 0
}

func per(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// widestStd bounds the sample deviation of n values by their range (Popoviciu 1935).
func widestStd(n, low, high float64) float64 {
	if n < 2 {
		return 0
	}
	return (high - low) / 2 * math.Sqrt(n/(n-1))
}

// moments are the ties among count, mean, deviation, largest and smallest.
func moments(prefix string, count func(flowRow) float64) []tie {
	mean, std, high, low := col(prefix+"_mean"), col(prefix+"_std"), col(prefix+"_max"), col(prefix+"_min")
	return []tie{
		{prefix + ": min <= mean <= max", func(r flowRow) bool { return notAbove(low(r), mean(r)) && notAbove(mean(r), high(r)) }},
		{prefix + ": std within the range", func(r flowRow) bool {
			return notAbove(std(r), widestStd(count(r), low(r), high(r))+2*rounding(high(r)))
		}},
		{prefix + ": one value has no spread", func(r flowRow) bool { return count(r) > 1 || std(r) == 0 && same(low(r), high(r)) }},
	}
}

func ties() []tie {
	fwd, bwd := col("total_fwd_packets"), col("total_backward_packets")
	less := func(f func(flowRow) float64) func(flowRow) float64 {
		return func(r flowRow) float64 { return math.Max(0, f(r)-1) }
	}
	all := []tie{}
	all = append(all, moments("fwd_packet_length", fwd)...)
	all = append(all, moments("bwd_packet_length", bwd)...)
	all = append(all, moments("flow_iat", func(r flowRow) float64 { return r.packets() - 1 })...)
	all = append(all, moments("fwd_iat", less(fwd))...)
	all = append(all, moments("bwd_iat", less(bwd))...)
	all = append(all, rateTies()...)
	all = append(all, sizeTies()...)
	all = append(all, gapTies()...)
	return append(all, flagTies()...)
}

func rateTies() []tie {
	perSecond := func(n func(flowRow) float64) func(flowRow) float64 {
		return func(r flowRow) float64 { return n(r) * 1e6 / r.at("flow_duration") }
	}
	return []tie{
		equal("bytes a second", col("flow_bytes/s"), perSecond(flowRow.bytes)),
		equal("packets a second", col("flow_packets/s"), perSecond(flowRow.packets)),
		equal("forward packets a second", col("fwd_packets/s"), perSecond(col("total_fwd_packets"))),
		equal("backward packets a second", col("bwd_packets/s"), perSecond(col("total_backward_packets"))),
	}
}

func sizeTies() []tie {
	first := func(r flowRow) float64 { return r.at("packet_length_mean")*(r.packets()+1) - r.bytes() }
	return []tie{
		equal("forward bytes", col("total_length_of_fwd_packets"), col("subflow_fwd_bytes")),
		equal("backward bytes", col("total_length_of_bwd_packets"), col("subflow_bwd_bytes")),
		equal("forward packets", col("total_fwd_packets"), col("subflow_fwd_packets")),
		equal("backward packets", col("total_backward_packets"), col("subflow_bwd_packets")),
		equal("forward mean", col("fwd_packet_length_mean"), func(r flowRow) float64 { return per(r.at("subflow_fwd_bytes"), r.at("total_fwd_packets")) }),
		equal("backward mean", col("bwd_packet_length_mean"), func(r flowRow) float64 { return per(r.at("subflow_bwd_bytes"), r.at("total_backward_packets")) }),
		equal("forward segment", col("avg_fwd_segment_size"), col("fwd_packet_length_mean")),
		equal("backward segment", col("avg_bwd_segment_size"), col("bwd_packet_length_mean")),
		equal("largest packet", col("max_packet_length"), func(r flowRow) float64 { return max(r.at("fwd_packet_length_max"), r.at("bwd_packet_length_max")) }),
		equal("smallest packet", col("min_packet_length"), func(r flowRow) float64 {
			if r.at("total_backward_packets") == 0 {
				return r.at("fwd_packet_length_min")
			}
			return min(r.at("fwd_packet_length_min"), r.at("bwd_packet_length_min"))
		}),
		{"first packet is a forward one", func(r flowRow) bool {
			rounding := 1e-8 * math.Max(1, r.bytes())
			return first(r) >= r.at("fwd_packet_length_min")-rounding && first(r) <= r.at("fwd_packet_length_max")+rounding
		}},
		equal("average size", col("average_packet_size"), func(r flowRow) float64 { return r.at("packet_length_mean") * (r.packets() + 1) / r.packets() }),
		{"variance is the square of the deviation", func(r flowRow) bool {
			v := r.at("packet_length_variance")
			return math.Abs(v-r.at("packet_length_std")*r.at("packet_length_std")) <= 5.1e-3*v+1e-6
		}},
		{"variance of the parts", func(r flowRow) bool {
			v := varianceOfParts(r, first(r))
			return math.Abs(v-r.at("packet_length_variance")) <= 5.1e-3*v+1e-3
		}},
		equal("down/up ratio", col("down/up_ratio"), func(r flowRow) float64 { return math.Floor(r.at("total_backward_packets") / r.at("total_fwd_packets")) }),
		{"headers", func(r flowRow) bool {
			return r.at("fwd_header_length") >= r.at("min_seg_size_forward")*r.at("total_fwd_packets")
		}},
		{"repeated header column", func(r flowRow) bool { return r[secondHeaderLength] == r.at("fwd_header_length") }},
		{"packets with data", func(r flowRow) bool { return r.at("act_data_pkt_fwd") <= r.at("total_fwd_packets")-1 }},
	}
}

// varianceOfParts is the variance over both directions and the first packet again.
func varianceOfParts(r flowRow, first float64) float64 {
	mean, sum := r.at("packet_length_mean"), 0.0
	for _, d := range []struct{ way, packets string }{{"fwd", "total_fwd_packets"}, {"bwd", "total_backward_packets"}} {
		if n := r.at(d.packets); n > 0 {
			std, off := r.at(d.way+"_packet_length_std"), r.at(d.way+"_packet_length_mean")-mean
			sum += (n-1)*std*std + n*off*off
		}
	}
	return (sum + (first-mean)*(first-mean)) / r.packets()
}

// meanGap is the total, which may be rounded, over the gaps.
func meanGap(prefix, packets string) tie {
	return tie{prefix + ": mean", func(r flowRow) bool {
		n := max(1, r.at(packets)-1)
		return math.Abs(r.at(prefix+"_mean")*n-r.at(prefix+"_total")) <= rounding(r.at(prefix+"_total"))+n*rounding(r.at(prefix+"_mean"))
	}}
}

func gapTies() []tie {
	return []tie{
		equal("mean gap", col("flow_iat_mean"), func(r flowRow) float64 { return r.at("flow_duration") / (r.packets() - 1) }),
		meanGap("fwd_iat", "total_fwd_packets"),
		meanGap("bwd_iat", "total_backward_packets"),
		{"gaps within the duration", func(r flowRow) bool {
			return notAbove(r.at("fwd_iat_total"), r.at("flow_duration")) && notAbove(r.at("bwd_iat_total"), r.at("flow_duration")) &&
				notAbove(r.at("flow_iat_max"), r.at("flow_duration"))
		}},
		{"largest gap within the total", func(r flowRow) bool {
			return notAbove(r.at("fwd_iat_max"), r.at("fwd_iat_total")) && notAbove(r.at("bwd_iat_max"), r.at("bwd_iat_total"))
		}},
		{"smallest gap of all", func(r flowRow) bool {
			return (r.at("total_fwd_packets") < 2 || notAbove(r.at("flow_iat_min"), r.at("fwd_iat_min"))) &&
				(r.at("total_backward_packets") < 2 || notAbove(r.at("flow_iat_min"), r.at("bwd_iat_min")))
		}},
		{"nothing backward", func(r flowRow) bool {
			return r.at("total_backward_packets") > 0 || r.at("subflow_bwd_bytes") == 0 && r.at("bwd_iat_total") == 0 &&
				r.at("bwd_header_length") == 0 && r.at("fwd_iat_std") == r.at("flow_iat_std") && r.at("fwd_iat_max") == r.at("flow_iat_max")
		}},
		{"idle", func(r flowRow) bool {
			return notAbove(r.at("idle_min"), r.at("idle_mean")) && notAbove(r.at("idle_mean"), r.at("idle_max")) &&
				notAbove(r.at("idle_std"), math.Sqrt2/2*(r.at("idle_max")-r.at("idle_min"))+2*rounding(r.at("idle_max"))) &&
				(r.at("idle_max") == 0 || r.at("idle_min") >= 5e6 && notAbove(r.at("idle_max"), r.at("flow_iat_max")))
		}},
		{"active", func(r flowRow) bool {
			return notAbove(r.at("active_min"), r.at("active_mean")) && notAbove(r.at("active_mean"), r.at("active_max")) &&
				notAbove(r.at("active_max"), r.at("flow_duration")) && (r.at("active_max") == 0 || r.at("idle_max") > 0)
		}},
	}
}

func flagTies() []tie {
	return []tie{
		{"SYN is repeated", func(r flowRow) bool { return r.at("syn_flag_count") == r.at("fwd_psh_flags") }},
		{"RST is repeated", func(r flowRow) bool { return r.at("rst_flag_count") == r.at("ece_flag_count") }},
		{"constant columns", func(r flowRow) bool {
			for _, name := range []string{"bwd_psh_flags", "bwd_urg_flags", "fwd_urg_flags", "cwe_flag_count", "fwd_avg_bytes/bulk", "fwd_avg_packets/bulk",
				"fwd_avg_bulk_rate", "bwd_avg_bytes/bulk", "bwd_avg_packets/bulk", "bwd_avg_bulk_rate"} {
				if r.at(name) != 0 {
					return false
				}
			}
			return true
		}},
		{"windows", func(r flowRow) bool {
			for _, name := range []string{"init_win_bytes_forward", "init_win_bytes_backward"} {
				if r.at(name) < -1 || r.at(name) > 65535 {
					return false
				}
			}
			return true
		}},
	}
}

func TestTiesBetweenColumnsHoldInEveryRow(t *testing.T) {
	for _, uri := range []string{"synth://full?seed=3&rows=9000", "synth://infiltration?seed=4&rows=6000&positives=400"} {
		for i, f := range plan(t, uri) {
			rows := parse(t, written(t, f))
			for _, tie := range ties() {
				for k, r := range rows.cells {
					if r := flowRow(r); r.ordinary() && !tie.holds(r) {
						t.Errorf("%s, file %d, row %d (%s): %s\n%v", uri, i, k+1, rows.labels[k], tie.name, r)
						break
					}
				}
			}
		}
	}
}

// The ties are the flow meter's, not ours: real rows keep them, but for a few
// faults and for totals that a spreadsheet rounded.
func TestTiesBetweenColumnsHoldInRealRows(t *testing.T) {
	const allowed = .01 // of the rows
	text, err := os.ReadFile(filepath.Join(realFlows(t, "cicids2017-mini"), "Tuesday-WorkingHours.pcap_ISCX.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows := parse(t, text)
	for _, tie := range ties() {
		broken, n := 0, 0
		for _, r := range rows.cells {
			if r := flowRow(r); r.ordinary() {
				n++
				if !tie.holds(r) {
					broken++
				}
			}
		}
		if float64(broken) > allowed*float64(n) {
			t.Errorf("%s does not hold in %d of %d rows", tie.name, broken, n)
		}
	}
}
