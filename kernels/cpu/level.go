package cpu

import (
	"fmt"
	"strings"
)

// level is the instruction set that a Machine computes with.
type level uint8

const (
	plain level = iota
	avx2
	avx512
)

var levelNames = [...]string{plain: "plain", avx2: "avx2", avx512: "avx512"}

func (l level) String() string { return levelNames[l] }

// Levels names the levels that this build has on this processor, the fastest last.
func Levels() []string { return levelNames[:highest()+1] }

// parseLevel reads the name of a level; "auto" is the fastest.
func parseLevel(name string) (level, error) {
	if name == "auto" {
		return highest(), nil
	}
	for l, known := range levelNames {
		switch {
		case known != name:
		case level(l) > highest():
			return 0, fmt.Errorf("cpu: this processor or this build has no %s, only %s", name, strings.Join(Levels(), ", "))
		default:
			return level(l), nil
		}
	}
	return 0, fmt.Errorf("cpu: SIMD level %q, want auto, %s", name, strings.Join(levelNames[:], ", "))
}
