package report

import (
	"bytes"
	"strings"
	"testing"
)

func TestCountInALog(t *testing.T) {
	var out bytes.Buffer
	c := NewCount(&out, false)
	c.Show(0, 4, "first")
	c.Show(1, 4, "second") // too soon for another line
	c.last = c.last.Add(-2 * logEvery)
	c.start = c.start.Add(-2 * logEvery)
	c.Show(2, 4, "third")
	c.Close()
	if want := "0/4  first\n2/4  third, 20s left\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestCountOnATerminal(t *testing.T) {
	var out bytes.Buffer
	c := NewCount(&out, true)
	c.Show(0, 2, "first")
	c.Show(1, 2, "second")
	c.Close()
	if strings.Contains(out.String(), "\n0/2  first\n") {
		t.Errorf("lines of a log: %q", out.String())
	}
}
