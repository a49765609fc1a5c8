package synth

import (
	"math"
	"regexp"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestNumbersAreWrittenAsInTheFiles(t *testing.T) {
	for _, c := range []struct {
		v                float64
		sheet, flowMeter string
	}{
		{0, "0", "0.0"},
		{6, "6", "6.0"},
		{-1, "-1", "-1.0"},
		{1.5, "1.5", "1.5"},
		{2.0 / 3, "0.666666667", "0.6666666666666666"},
		{200.0 / 3, "66.66666667", "66.66666666666667"},
		{.0001, "0.0001", "1.0E-4"},
		{.00123, "0.00123", "0.00123"},
		{9999999, "9999999", "9999999.0"},
		{9999999.5, "9999999.5", "9999999.5"},
		{1e7, "10000000", "1.0E7"},
		{45000000, "45000000", "4.5E7"},
		{119995180, "120000000", "1.1999518E8"},
		{21657512.5, "21700000", "2.16575125E7"},
		{-12000000, "-12000000", "-1.2E7"},
		{math.Inf(1), "Infinity", "Infinity"},
		{math.NaN(), "NaN", "NaN"},
	} {
		if got := string(spreadsheet.appendReal(nil, c.v)); got != c.sheet {
			t.Errorf("spreadsheet: %v is %s, want %s", c.v, got, c.sheet)
		}
		if got := string(flowMeter.appendReal(nil, c.v)); got != c.flowMeter {
			t.Errorf("flow meter: %v is %s, want %s", c.v, got, c.flowMeter)
		}
	}
	for v, want := range map[int64]string{0: "0", 9999999: "9999999", 10049999: "10000000", 119995180: "120000000", -14: "-14"} {
		if got := string(spreadsheet.appendGap(nil, v)); got != want {
			t.Errorf("spreadsheet: gap %d is %s, want %s", v, got, want)
		}
		if got := string(flowMeter.appendGap(nil, v)); got != strconv.FormatInt(v, 10) {
			t.Errorf("flow meter: gap %d is %s", v, got)
		}
	}
}

// java is what Double.toString may print for a finite number.
var java = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,6})\.[0-9]+$|^-?[1-9]\.[0-9]+E-?[0-9]+$`)

func TestNumberTextReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(-1e12, 1e12).Draw(t, "v")
		text := string(flowMeter.appendReal(nil, v))
		if back, err := strconv.ParseFloat(text, 64); err != nil || back != v || !java.MatchString(text) {
			t.Fatalf("flow meter: %v is %s, which is %v (%v)", v, text, back, err)
		}
		text = string(spreadsheet.appendReal([]byte("before,"), v))[len("before,"):]
		back, err := strconv.ParseFloat(text, 64)
		allowed := 5.0001e-10 * math.Max(1, math.Abs(v))
		if math.Abs(v) >= narrow {
			allowed = 5.0001e-3 * math.Abs(v)
		}
		if err != nil || !(math.Abs(back-v) <= allowed) {
			t.Fatalf("spreadsheet: %v is %s (%v)", v, text, err)
		}
	})
}
