package split

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// slowLeak counts what Leak counts, set by set and row by row.
func slowLeak(labels []int32, set []string, plain, made []int8, want func(label int32) bool) Leak {
	var l Leak
	bySet := map[string][]int{}
	for p, s := range set {
		bySet[s] = append(bySet[s], p)
	}
	for _, rows := range bySet {
		holds, leaks := false, [2]int{}
		parts := [2]map[int8]bool{{}, {}}
		for _, p := range rows {
			holds = holds || want(labels[p])
			parts[0][plain[p]], parts[1][made[p]] = true, true
			for way, part := range [][]int8{plain, made} {
				for _, q := range rows {
					if part[q] < part[p] && want(labels[p]) {
						leaks[way]++
						break
					}
				}
			}
		}
		if len(rows) < 2 || !holds {
			continue
		}
		l.Sets++
		l.Leaked += leaks[0]
		l.MadeLeaked += leaks[1]
		if len(parts[0]) > 1 {
			l.Crossing++
		}
		if len(parts[1]) > 1 {
			l.MadeCrossing++
		}
	}
	return l
}

func TestLeakageCountsWhatTheSlowLoopCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRows(t)
		cfg := drawShares(t, ByRandom)
		v := r.checked()
		same := findDuplicates(v)
		made := deal(v, same, cfg.shares(), cfg.Seed)
		plain := deal(v, singles(len(v.rows)), cfg.shares(), cfg.Seed)
		l := leakage(cfg, v, same, made)

		duplicates, connection := make([]string, len(v.rows)), make([]string, len(v.rows))
		for p, row := range v.rows {
			duplicates[p] = fingerprint(r, row)
			connection[p] = string(rune(1000 + r.Groups[row]))
		}
		lines := append([]LabelLeak{l.Total}, l.Labels...)
		for i, line := range lines {
			want := func(label int32) bool { return i == 0 || v.labelName(int(label)) == line.Label }
			if diff := cmp.Diff(slowLeak(v.labels, duplicates, plain, made, want), line.Duplicates); diff != "" {
				t.Fatalf("duplicates of %s: want (-), got (+):\n%s", line.Label, diff)
			}
			if diff := cmp.Diff(slowLeak(v.labels, connection, plain, made, want), line.Connections); diff != "" {
				t.Fatalf("connections of %s: want (-), got (+):\n%s", line.Label, diff)
			}
			if line.Duplicates.MadeLeaked != 0 || line.Duplicates.MadeCrossing != 0 {
				t.Fatalf("%s: duplicates cross in the split that was made", line.Label)
			}
		}
	})
}

func TestReportsFitATerminalOf100Columns(t *testing.T) {
	r := flows(20000)
	r.LabelNames = []string{"BENIGN", "Infiltration - Portscan"}
	s, l, err := Make(Config{By: ByRandom, Train: 0.6, Validation: 0.2, Test: 0.2, Seed: 18446744073709551615}, r)
	if err != nil {
		t.Fatal(err)
	}
	_, d := Deduplicate(r)
	var out strings.Builder
	for _, write := range []func() error{
		func() error { return l.WriteText(&out) },
		func() error { return Summarise(s, r).WriteText(&out) },
		func() error { return d.WriteText(&out) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(out.String()) {
		if width := utf8.RuneCountInString(line) - 1; width > 100 {
			t.Errorf("%d columns: %s", width, line)
		}
	}
	for _, want := range []string{"Infiltration - Portscan", "duplicate sets", "connections", "leaked by random", "all"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the report:\n%s", want, out.String())
		}
	}
	t.Log("\n" + out.String())
}

func TestLeakageReadsBackFromJSON(t *testing.T) {
	_, l, err := Make(Config{By: ByGroup, Train: 0.6, Validation: 0.2, Test: 0.2, Seed: 3}, infiltration())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var back Leakage
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, back); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(text), `"made_crossing"`) {
		t.Errorf("unexpected keys: %s", text)
	}
}

// Without duplicates the plain split is the random one: nothing to compare.
func TestPlainSplitIsTheRandomSplitOfRowsWithoutDuplicates(t *testing.T) {
	r := infiltration()
	_, l, err := Make(Config{By: ByRandom, Train: 0.7, Validation: 0.1, Test: 0.2, Seed: 5}, r)
	if err != nil {
		t.Fatal(err)
	}
	c := l.Total.Connections
	if c.Crossing != c.MadeCrossing || c.Leaked != c.MadeLeaked || c.Leaked == 0 || l.Total.Duplicates.Sets != 0 {
		t.Errorf("got %+v", l.Total)
	}
}

func TestPlainLeakageIsThatOfMakeWithoutTheSplitThatWasMade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRows(t)
		cfg := drawShares(t, ByRandom)
		_, want, err := Make(cfg, r)
		if err != nil {
			t.Skip(err)
		}
		got, err := PlainLeakage(cfg, r)
		if err != nil {
			t.Fatal(err)
		}
		want.By = ""
		for i := range want.Labels {
			want.Labels[i].forgetMade()
		}
		want.Total.forgetMade()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("want (-), got (+):\n%s", diff)
		}
	})
}

func TestPlainLeakageByFileTakesItsSharesFromTheFiles(t *testing.T) {
	l, err := PlainLeakage(Config{By: ByFile, TrainFiles: []string{"Mon*"}, TestFiles: []string{"Fri*"}}, week())
	if err != nil {
		t.Fatal(err)
	}
	if l.Train != 0.5 || l.Validation != 0 || l.Test != 0.5 || l.Total.Rows != 4 || l.Total.Duplicates.Sets != 1 {
		t.Errorf("got %+v", l)
	}
	var out strings.Builder
	if err := l.WriteText(&out); err != nil || strings.Contains(out.String(), "cut by") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
