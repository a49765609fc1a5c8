package synth

import (
	"strings"
	"testing"
)

func TestParseReadsWhatStringWrites(t *testing.T) {
	for uri, want := range map[string]Config{
		"synth://infiltration":                                {Profile: "infiltration"},
		"synth://infiltration/":                               {Profile: "infiltration"},
		"synth://infiltration?seed=7&rows=50000":              {Profile: "infiltration", Seed: 7, Rows: 50000},
		"synth://full?seed=18446744073709551615&positives=72": {Profile: "full", Seed: 1<<64 - 1, Positives: 72},
	} {
		got, err := Parse(uri)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", uri, got, err, want)
		}
		if again, err := Parse(got.String()); err != nil || again != got {
			t.Errorf("%s: %+v, %v; want %+v", got, again, err, got)
		}
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for uri, want := range map[string]string{
		"infiltration":                          `does not begin with synth://; write synth://infiltration?seed=7`,
		"synth://infiltrationn":                 `unknown synthetic profile "infiltrationn" (did you mean "infiltration"?); known are infiltration and full`,
		"synth://":                              `unknown synthetic profile ""; known are infiltration and full`,
		"synth://full?sed=1":                    `unknown key "sed" (did you mean "seed"?); known are seed, rows and positives`,
		"synth://full?Seed=1":                   `unknown key "Seed" (did you mean "seed"?)`,
		"synth://full?seed=1&seed=2":            `gives seed 2 times; keep one`,
		"synth://full?seed=-1":                  `seed=-1: not a whole number from 0 to 18446744073709551615`,
		"synth://full?seed=":                    `seed=: not a whole number`,
		"synth://full?rows=1e5":                 `rows=1e5: not a whole number above 0`,
		"synth://full?rows=0":                   `rows=0: not a whole number above 0`,
		"synth://full?positives=-3":             `positives=-3: not a whole number above 0`,
		"synth://full?rows=%zz":                 `invalid URL escape`,
		"synth://full?rows=9999999999999999999": `rows=9999999999999999999: not a whole number above 0`,
	} {
		if _, err := Parse(uri); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", uri, err, want)
		}
	}
}
