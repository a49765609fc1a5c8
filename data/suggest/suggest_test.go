package suggest

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	models := []string{"dnn", "autoencoder", "kmeans", "kmedians"}
	for word, want := range map[string]string{
		"dn":                    "dnn",
		"DNN":                   "dnn",
		"x":                     "", // half of one letter is none
		"kmean":                 "kmeans",
		"autonecodr":            "autoencoder", // three letters of ten
		"autonecodrxx":          "",
		"":                      "",
		strings.Repeat("k", 65): "",
	} {
		if got := Nearest(word, models); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
	if got := Nearest("ab", []string{"abc", "abd"}); got != "abc" {
		t.Errorf("of two that are equally near, %q was taken, want the first", got)
	}
}

func TestQuestions(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{DidYouMean("swep", []string{"sweep"}), `; did you mean "sweep"?`},
		{Aside("swep", []string{"sweep"}), ` (did you mean "sweep"?)`},
		{DidYouMean("swep", []string{"compare"}), ""},
		{Aside("swep", nil), ""},
	} {
		if c.got != c.want {
			t.Errorf("question %q, want %q", c.got, c.want)
		}
	}
}
