// Package suggest finds the word that somebody meant to write.
package suggest

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// longest is the longest word that is looked at, in bytes: nothing that is longer
// is a slip of the hand.
const longest = 64

// Nearest is the candidate that differs from word in the fewest letters, upper
// and lower case apart, and the first of several; it is "" where even that one is
// far: two letters of a short word may be wrong, or a third of a long one's.
func Nearest(word string, candidates []string) string {
	n := len(word)
	if n > longest {
		return ""
	}
	best, least := "", 1+max(n/3, min(n/2, 2))
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// DidYouMean is a question about the nearest candidate to put behind a problem,
// or nothing where none is near.
func DidYouMean(word string, candidates []string) string {
	if best := Nearest(word, candidates); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}

// Aside is the same question in brackets, to stand within a sentence.
func Aside(word string, candidates []string) string {
	if best := Nearest(word, candidates); best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return ""
}
