package flowcsv_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"flowbench/data/flowcsv"
	"flowbench/data/schema"
)

// BenchmarkScan reads flows from memory on one core; half of their cells are
// one digit, the others decimals of 3 to 12 digits, as in the real files.
func BenchmarkScan(b *testing.B) {
	h := schema.RawHeader79
	set := cells{}
	lines := make([]string, 4096)
	for i := range lines {
		for j, name := range schema.Features() {
			switch j % 4 {
			case 0, 1:
				set[name] = fmt.Sprint(i % 7)
			case 2:
				set[name] = fmt.Sprint(i * 37)
			default:
				set[name] = fmt.Sprintf("%.6f", float64(i)*1.37)
			}
		}
		lines[i] = flow(h, set)
	}
	text := file(h, lines...)
	for _, ungrouped := range []bool{false, true} {
		b.Run(fmt.Sprintf("ungrouped=%v", ungrouped), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			s, err := flowcsv.NewScanner([]flowcsv.Source{textSource("a.csv", text)}, flowcsv.Options{Ungrouped: ungrouped})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := s.Scan(context.Background(), func(*flowcsv.Block) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLongestFields reads the 17-digit decimals of the corrected form, which take the slow way.
func BenchmarkLongestFields(b *testing.B) {
	h := schema.RawHeader91
	set := cells{}
	for _, name := range []string{"flow_bytes/s", "flow_packets/s", "fwd_packets/s", "bwd_packets/s", "packet_length_std", "flow_iat_std", "flow_iat_mean"} {
		set[name] = "16326.530612244898"
	}
	text := file(h, strings.Split(strings.Repeat(flow(h, set)+"\n", 4095)+flow(h, set), "\n")...)
	s, err := flowcsv.NewScanner([]flowcsv.Source{textSource("a.csv", text)}, flowcsv.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := s.Scan(context.Background(), func(*flowcsv.Block) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
