package schema

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// didYouMean is ` (did you mean "x"?)` for the candidate nearest to name, or
// nothing where none is near: at most a third of the name may differ.
func didYouMean(name string, candidates []string) string {
	best, distance := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(c)); d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}
