package schema

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"flowbench/data/suggest"
)

// Cols is the number of feature columns of the canonical schema.
const Cols = 77

// Column names that code elsewhere needs to speak of.
const (
	// DestinationPort gives away whole attack classes, so models leave it out by default.
	DestinationPort = "destination_port"
	// ForwardHeaderLength is the column that the original forms hold twice.
	ForwardHeaderLength = "fwd_header_length"
	// Protocol is the IP protocol number of the forms with addresses.
	Protocol = "protocol"
)

// features is derived from the raw header, so that order and spelling have one source.
var features = sync.OnceValue(func() []string {
	var names []string
	for _, raw := range strings.Split(RawHeader79, ",") {
		name := Normalize(raw)
		if name != labelColumn && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
})

var featureIndex = sync.OnceValue(func() map[string]int {
	index := make(map[string]int, Cols)
	for i, name := range features() {
		index[name] = i
	}
	return index
})

// Features returns the canonical feature columns in their fixed order: the 79
// columns of the MachineLearningCVE form without the label and without the
// second Fwd Header Length. The caller owns the slice.
func Features() []string { return slices.Clone(features()) }

// Extras returns, in their order, the numeric columns that the corrected form
// has beyond Features. The caller owns the slice.
func Extras() []string {
	return []string{Protocol, "fwd_rst_flags", "bwd_rst_flags", "icmp_code", "icmp_type", "total_tcp_flow_time"}
}

// Normalize is the canonical spelling of a column name: outer blanks cut, lower
// case, and each inner blank an underscore.
func Normalize(raw string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(raw)), " ", "_")
}

// Canonical maps any spelling of a feature or extra column (raw, normalised, or
// that of the corrected form) to its canonical name. The error of an unknown
// name says which one was probably meant.
func Canonical(name string) (string, error) {
	n := Normalize(name)
	if alias, ok := correctedAlias(n); ok {
		n = alias
	}
	if _, ok := featureIndex()[n]; ok {
		return n, nil
	}
	known := append(Features(), Extras()...)
	if slices.Contains(known, n) {
		return n, nil
	}
	return "", fmt.Errorf("unknown column %q%s", name, suggest.Aside(n, known))
}

// Sentinel reports whether -1 in the named canonical column stands for "not
// seen" (no TCP window, no ICMP message) and not for a negative count.
func Sentinel(name string) bool {
	switch name {
	case "init_win_bytes_forward", "init_win_bytes_backward", "icmp_code", "icmp_type":
		return true
	}
	return false
}

// correctedAlias maps a normalised name of the corrected form to the canonical
// one where the two differ.
func correctedAlias(name string) (string, bool) {
	canonical, ok := correctedNames()[name]
	return canonical, ok
}

var correctedNames = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"dst_port":                   DestinationPort,
		"total_fwd_packet":           "total_fwd_packets",
		"total_bwd_packets":          "total_backward_packets",
		"total_length_of_fwd_packet": "total_length_of_fwd_packets",
		"total_length_of_bwd_packet": "total_length_of_bwd_packets",
		"packet_length_min":          "min_packet_length",
		"packet_length_max":          "max_packet_length",
		"cwr_flag_count":             "cwe_flag_count",
		"fwd_segment_size_avg":       "avg_fwd_segment_size",
		"bwd_segment_size_avg":       "avg_bwd_segment_size",
		"fwd_bytes/bulk_avg":         "fwd_avg_bytes/bulk",
		"fwd_packet/bulk_avg":        "fwd_avg_packets/bulk",
		"fwd_bulk_rate_avg":          "fwd_avg_bulk_rate",
		"bwd_bytes/bulk_avg":         "bwd_avg_bytes/bulk",
		"bwd_packet/bulk_avg":        "bwd_avg_packets/bulk",
		"bwd_bulk_rate_avg":          "bwd_avg_bulk_rate",
		"fwd_init_win_bytes":         "init_win_bytes_forward",
		"bwd_init_win_bytes":         "init_win_bytes_backward",
		"fwd_act_data_pkts":          "act_data_pkt_fwd",
		"fwd_seg_size_min":           "min_seg_size_forward",
	}
})
