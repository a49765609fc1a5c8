package spec

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a time that a spec writes in whole days, hours, minutes and
// seconds, each at most once and in this order: 8h, 1h30m, 120s.
type Duration time.Duration

// durationForm has so few digits that the sum fits 64 bits of nanoseconds.
var durationForm = regexp.MustCompile(`^(?:([0-9]{1,5})d)?(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,5})s)?$`)

// durationUnits are those of durationForm's groups.
var durationUnits = []struct {
	name string
	unit time.Duration
}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}

func (d *Duration) read(v value, path string) *Error {
	parts := durationForm.FindStringSubmatch(v.text)
	if v.kind != text || parts == nil {
		return v.at.errorf(path, "must be a time such as 8h, 1h30m or 120s, not %s", v.describe())
	}
	*d = 0
	for i, digits := range parts[1:] {
		n, _ := strconv.Atoi(digits) // a part that was not written counts 0
		*d += Duration(time.Duration(n) * durationUnits[i].unit)
	}
	if *d == 0 {
		return v.at.errorf(path, "is no time at all: write one such as 8h, or leave it out")
	}
	return nil
}

// String is d as a spec writes it, with what is less than a second left out.
func (d Duration) String() string {
	var b strings.Builder
	rest := time.Duration(d)
	for _, u := range durationUnits {
		if n := rest / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			rest -= n * u.unit
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

// Size is a number of bytes that a spec writes with its unit: 2GB is 2·10⁹
// bytes, 2GiB is 2·2³⁰.
type Size int64

var sizeForm = regexp.MustCompile(`^([0-9]{1,15}(?:\.[0-9]{1,6})?)(B|[KMGT]B|[KMGT]iB)$`)

// sizeUnits lists decimal units before binary ones, each from the largest down.
var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3},
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1},
}

func (s *Size) read(v value, path string) *Error {
	parts := sizeForm.FindStringSubmatch(v.text)
	if v.kind != text || parts == nil {
		return v.at.errorf(path, "must be a size such as 2GB, 512MiB or 1.5GB, not %s", v.describe())
	}
	n, err := strconv.ParseFloat(parts[1], 64)
	if err != nil {
		panic("spec: " + err.Error())
	}
	for _, u := range sizeUnits {
		if u.name == parts[2] {
			n *= u.bytes
		}
	}
	if !(n >= 1 && n <= maxSeed) {
		return v.at.errorf(path, "is %s, must be at least a byte and below 8PiB", v.text)
	}
	*s = Size(math.Round(n))
	return nil
}

// String is s in the largest unit that leaves a whole number.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if n := int64(u.bytes); s != 0 && int64(s)%n == 0 {
			return strconv.FormatInt(int64(s)/n, 10) + u.name
		}
	}
	return "0B"
}
