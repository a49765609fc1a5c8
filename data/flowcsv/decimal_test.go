package flowcsv

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// FuzzDecimals compares every way of reading numbers with strconv.ParseFloat, to
// the bit, on any text and with any bytes behind the line.
func FuzzDecimals(f *testing.F) {
	for _, text := range []string{"1,22,333,4444,55555,666666,7777777,88888888,999999999,", "0.1,.5,5.,-1,-0.25,.,-,", "1.2.3,1,,",
		"16326.530612244898,0.29999999999999999,16777217.000000000001,9007199254740993,", "12345678.,1234567.8,.12345678,123456.78,",
		"1;2,3:4,?5,1/2,1 ,", "\xb1,1\x80,\x00\x01,", "1,2\n3,4,5,6,7,8,9", "1,2\r\n3,4,5,6,7,8,9"} {
		f.Add([]byte(text))
	}
	f.Fuzz(compareDecimals)
}

// TestDecimals does what FuzzDecimals does, on cells as flow records have them and on their neighbours.
func TestDecimals(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const alphabet = "0123456789012345678901234567890123456789..,,,,-eE+ \"\r\n:/?\x00\xb0"
	for range 100_000 {
		text := make([]byte, r.IntN(60))
		for i := range text {
			// Mostly numbers, with a strange byte in some texts.
			text[i] = alphabet[r.IntN(46+r.IntN(2)*r.IntN(2)*r.IntN(len(alphabet)-46))]
		}
		compareDecimals(t, text)
	}
	for digits := 1; digits <= 20; digits++ { // every place of the point in a run of digits
		for range 2000 {
			text := make([]byte, digits)
			for i := range text {
				text[i] = byte('0' + r.IntN(10))
			}
			at := r.IntN(digits + 1)
			cell := string(text[:at]) + "." + string(text[at:])
			compareDecimals(t, []byte(cell+","+string(text)+",-"+cell+",0,0,0,0,0,0"))
		}
	}
}

// TestLongMantissas reads numbers around the middle of two float32, where the
// float64 between makes the difference.
func TestLongMantissas(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	left := 0
	for range 100_000 {
		v := math.Float32frombits(0x3f000000 + r.Uint32N(0x08000000)) // 0.5 to 2^16
		middle := (float64(v) + float64(math.Nextafter32(v, math.MaxFloat32))) / 2
		middle = math.Float64frombits(math.Float64bits(middle) + r.Uint64N(64) - 32)
		text := strconv.FormatFloat(middle, 'f', 12+r.IntN(8), 64)
		compareDecimals(t, []byte(text+",1,2,3,4,5"))
		if _, _, ok := shortDecimal([]byte(text), 0); !ok {
			left++
		}
	}
	if left == 0 {
		t.Error("no number was near enough to the middle to be left to the slow way")
	}
}

// compareDecimals reads the first line of text.
func compareDecimals(t *testing.T, text []byte) {
	size := len(text)
	if n := bytes.IndexByte(text, '\n'); n >= 0 {
		size = n
	}
	if size > 0 && text[size-1] == '\r' && size < len(text) {
		size--
	}
	guard := float32(math.Pi)
	dst := [8]float32{guard, guard, guard, guard, guard, guard, guard, guard}
	n, next := decimals(text, size, 0, dst[:7])
	at := 0
	for i := range n {
		length := bytes.IndexByte(text[at:size], ',')
		if length < 0 {
			t.Fatalf("%q: field %d does not end in a comma of the line", text, i)
		}
		cell := string(text[at : at+length])
		want, err := strconv.ParseFloat(cell, 64)
		if err != nil || bytes.ContainsAny([]byte(cell), "eExX_+nN") {
			t.Fatalf("%q: field %q is read as %v", text, cell, dst[i])
		}
		if math.Float32bits(dst[i]) != math.Float32bits(float32(want)) {
			t.Fatalf("%q: field %q is %v, want %v", text, cell, dst[i], float32(want))
		}
		at += length + 1
	}
	if next != at {
		t.Fatalf("%q: the next field starts at %d, want %d", text, next, at)
	}
	if _, end, ok := shortDecimal(text[:size], at); n < 7 && ok && end < size {
		t.Fatalf("%q: the decimal at %d was not read", text, at)
	}
	for _, v := range dst[n+1:] {
		if v != guard {
			t.Fatalf("%q: %d fields are read, and %v", text, n, dst)
		}
	}
}
