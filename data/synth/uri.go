package synth

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"flowbench/data/suggest"
)

// Scheme begins the address of a synthetic source.
const Scheme = "synth://"

// Parse reads an address such as synth://infiltration?seed=7&rows=50000. Keys
// are seed, rows and positives; seed is 0 where it is left out. An unknown
// profile or key, one given twice, or a value that is no number is an error that
// says what was probably meant.
func Parse(uri string) (Config, error) {
	rest, ok := strings.CutPrefix(uri, Scheme)
	if !ok {
		return Config{}, fmt.Errorf("synthetic source %q does not begin with %s; write %sinfiltration?seed=7", uri, Scheme, Scheme)
	}
	name, query, _ := strings.Cut(rest, "?")
	profile, err := profileNamed(strings.TrimSuffix(name, "/"))
	if err != nil {
		return Config{}, err
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return Config{}, fmt.Errorf("synthetic source %q: %w", uri, err)
	}
	cfg := Config{Profile: profile.name}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if len(values[key]) > 1 {
			return Config{}, fmt.Errorf("synthetic source %q gives %s %d times; keep one", uri, key, len(values[key]))
		}
		if err := cfg.set(key, values[key][0]); err != nil {
			return Config{}, fmt.Errorf("synthetic source %q: %w", uri, err)
		}
	}
	return cfg, nil
}

func (c *Config) set(key, value string) error {
	switch key {
	case "seed":
		seed, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return fmt.Errorf("seed=%s: not a whole number from 0 to %d", value, uint64(math.MaxUint64))
		}
		c.Seed = seed
	case "rows", "positives":
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 {
			return fmt.Errorf("%s=%s: not a whole number above 0", key, value)
		}
		if key == "rows" {
			c.Rows = n
		} else {
			c.Positives = n
		}
	default:
		return fmt.Errorf("unknown key %q%s; known are seed, rows and positives", key, suggest.Aside(key, []string{"seed", "rows", "positives"}))
	}
	return nil
}

// String is the address that Parse reads back.
func (c Config) String() string {
	s := fmt.Sprintf("%s%s?seed=%d", Scheme, c.Profile, c.Seed)
	if c.Rows > 0 {
		s += fmt.Sprintf("&rows=%d", c.Rows)
	}
	if c.Positives > 0 {
		s += fmt.Sprintf("&positives=%d", c.Positives)
	}
	return s
}
