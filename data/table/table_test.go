package table

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestTextLeansLeftAndNumbersRight(t *testing.T) {
	tb := New(Left("label"), Right("rows"), Left("note"))
	tb.Row("BENIGN", "818,484", "")
	tb.Row("Größe", "36", "6 connections")
	var out strings.Builder
	if err := tb.Write(&out, "  "); err != nil {
		t.Fatal(err)
	}
	want := "  label      rows  note\n" +
		"  BENIGN  818,484\n" +
		"  Größe        36  6 connections\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 818520: "818,520", -1234567: "-1,234,567",
		math.MinInt: "-9,223,372,036,854,775,808"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestPercentNeverRoundsToNothingOrAll(t *testing.T) {
	for share, want := range map[float64]string{0: "0 %", 1: "100 %", 1e-9: "<0.001 %", 0.99999999: ">99.99 %",
		0.5: "50.0 %", 4.4e-5: "0.0044 %", 0.0314: "3.14 %", 0.9951: "99.51 %"} {
		if got := Percent(share); got != want {
			t.Errorf("Percent(%v) = %s, want %s", share, got, want)
		}
	}
}

func TestFigureShowsSmallOnes(t *testing.T) {
	for x, want := range map[float64]string{0: "0.000", 1: "1.000", 0.82049: "0.820", 0.001: "0.001", 4.4e-5: "4e-05", 0.0006: "0.0006"} {
		if got := Figure(x); got != want {
			t.Errorf("Figure(%v) = %s, want %s", x, got, want)
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		s     string
		width int
		want  string
	}{{"flow", 4, "flow"}, {"flows", 4, "flo…"}, {"äöüß", 4, "äöüß"}, {"", 0, ""}, {"x", 0, "…"}} {
		if got := Fit(c.s, c.width); got != c.want {
			t.Errorf("Fit(%q, %d) = %q, want %q", c.s, c.width, got, c.want)
		}
	}
}

func TestARowOfTheWrongLengthPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	New(Left("a"), Left("b")).Row("one")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteErrorIsReturned(t *testing.T) {
	tb := New(Left("a"))
	tb.Row("b")
	if err := tb.Write(full{}, ""); err == nil {
		t.Fatal("a full disk went unnoticed")
	}
}
