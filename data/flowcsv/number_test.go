package flowcsv

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// TestNumbers compares both readers of numbers with strconv.ParseFloat, to the bit.
func TestNumbers(t *testing.T) {
	texts := []string{"0", "-0", "-1", "7", "00012", "5.", ".5", "-.5", "0.1", "119995180", "9007199254740991", "9007199254740992",
		"9007199254740993", "999999999999999999", "9999999999999999999", "18446744073709551616", "99999999999999999999", "0.0000000000000000001",
		"1.7976931348623157e308", "3.4028235e38", "3.40282356e38", "3.4028235677973366e38", "1e-45", "7.006492321624085e-46", "5e-324", "4e-400", "16777217", "1e9", "1E+09", "-1e-9",
		"16326.530612244898", "0.1171946319999999", "0.30000001192092896", "8388608.5", "-", ".", "-.", "", "e5", "1e", "--1", "+1", "+-1", "1_000", "12a"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		text := strconv.FormatUint(r.Uint64()>>(r.UintN(64)), 10)
		switch at := r.IntN(len(text) + 1); r.IntN(4) {
		case 0:
			text = text[:at] + "." + text[at:]
		case 1:
			text = "-" + text[:at] + "." + text[at:]
		case 2:
			text = fmt.Sprintf("%v", math.Float32frombits(r.Uint32()&0x7fffffff))
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		compareNumber(t, text)
	}
}

// compareNumber checks what text is read as, alone and with fields around it.
func compareNumber(t *testing.T, text string) {
	t.Helper()
	exact, err := strconv.ParseFloat(text, 64)
	want := float32(exact)
	got, kind := number([]byte(text))
	switch {
	case text == "" || text == "NaN" || text == "+Inf":
	case err != nil && !math.IsInf(exact, 0) || text == "1_000":
		if kind != isText {
			t.Errorf("number(%q) is %v, kind %d, want text", text, got, kind)
		}
	case math.IsInf(float64(want), 0):
		if kind != isOutOfRange {
			t.Errorf("number(%q) is %v, kind %d, want out of range", text, got, kind)
		}
	default:
		if kind != isNumber || math.Float32bits(got) != math.Float32bits(want) {
			t.Errorf("number(%q) is %v, kind %d, want %v", text, got, kind, want)
		}
	}
	for _, line := range []string{text, text + ",", "x," + text + ",9"} {
		at := 0
		if line[:min(2, len(line))] == "x," {
			at = 2
		}
		v, end, ok := shortDecimal([]byte(line), at)
		if ok && (kind != isNumber || math.Float32bits(v) != math.Float32bits(want) || end != at+len(text)) {
			t.Errorf("shortDecimal(%q, %d) is %v up to %d, want %v", line, at, v, end, want)
		}
		var read [1]float32
		if n, next := decimals([]byte(line), len(line), at, read[:]); n == 1 &&
			(kind != isNumber || math.Float32bits(read[0]) != math.Float32bits(want) || next != at+len(text)+1) {
			t.Errorf("decimals(%q, %d) is %v up to %d, want %v", line, at, read[0], next, want)
		}
	}
}

// TestShortDecimalIsUsed makes sure that the fast way is taken where it should be.
func TestShortDecimalIsUsed(t *testing.T) {
	for _, text := range []string{"0", "80", "-1", "119995180", "7595.10464", "67.12246771", "0.0", "9007199254740991", "0.000000000000000001", "9007199254740992", "0.29999999999999999", "1234567890123456789", "9999999999.999999999"} {
		if _, _, ok := shortDecimal([]byte(text), 0); !ok {
			t.Errorf("%q is left to the slow way", text)
		}
	}
	for _, text := range []string{"", "-", ".", "1e5", "16777217.000000000001", "12345678901234567890", " 1", "1 ", `"1"`, "+1"} {
		if v, _, ok := shortDecimal([]byte(text), 0); ok {
			t.Errorf("%q is read as %v", text, v)
		}
	}
}

func TestField(t *testing.T) {
	cases := []struct {
		line string
		want []string
		ok   bool
	}{
		{"", []string{""}, true}, {"a", []string{"a"}, true}, {",", []string{"", ""}, true}, {"a,", []string{"a", ""}, true},
		{`"a"`, []string{"a"}, true}, {`"a","b"`, []string{"a", "b"}, true}, {`"a,b",c`, []string{"a,b", "c"}, true},
		{`"a""b"`, []string{`a"b`}, true}, {`""""`, []string{`"`}, true}, {`""`, []string{""}, true}, {`"",""`, []string{"", ""}, true},
		{`a"b,c`, []string{`a"b`, "c"}, true}, {`"a`, []string{`"a`}, false}, {`"a"b,c`, []string{"a", "c"}, false}, {`"`, []string{`"`}, false}, {`"""`, []string{`"""`}, false},
	}
	for _, c := range cases {
		got, ok := split([]byte(c.line))
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) || ok != c.ok {
			t.Errorf("split(%q) = %q, %v; want %q, %v", c.line, got, ok, c.want, c.ok)
		}
	}
}

func TestLinesMax(t *testing.T) {
	for length, fits := range map[int]bool{0: true, 1: true, 19: true, 20: true, 21: false, 99: false} {
		text := make([]byte, length)
		for i := range text {
			text[i] = 'x'
		}
		for _, end := range []string{"", "\n", "\nmore\n"} {
			in := newLines(&pieces{text: append(append([]byte{}, text...), end...), size: 7}, 20)
			line, _, err := in.next()
			if length == 0 && end == "" {
				continue
			}
			if fits && (err != nil || len(line) != length) || !fits && err != errLongLine {
				t.Errorf("line of %d with %q: %d bytes, %v", length, end, len(line), err)
			}
		}
	}
}
