package page

import (
	"fmt"
	"math"
	"strings"

	"flowbench/data/table"
	"flowbench/train"
	"flowbench/train/metric"
)

// manySeeds is from how many replicates on a spread says something.
const manySeeds = 5

// fewAttacks is below how many attacks in the test part one more or less found
// moves recall by more than a twentieth.
const fewAttacks = 20

// overview says what the study found: which configuration, how sure that is, and
// what it costs in alerts a day. example is any result, nil before there is one.
func overview(s *Study, example *train.Result, warnings []string) Overview {
	o := Overview{Warnings: warnings}
	best := s.best(false)
	if best == nil || example == nil {
		o.Headline = fmt.Sprintf("No trial of %s is done yet", s.Title)
		o.Text = []string{fmt.Sprintf("%d of %d trials have ended.", s.Progress.Ended, s.Progress.Trials)}
		return o
	}
	ap := s.stat(best, "test.average_precision")
	o.Headline = fmt.Sprintf("%s is in front, with an average precision of %s on flows it never saw", best.Name, ap)
	o.Facts = s.keys(best, example)
	o.Text = append(o.Text, s.chosen(best), s.howSure(best), s.cost(best, example))
	o.Warnings = append(o.Warnings, s.doubts(best, example)...)
	return o
}

// best is the first model, or the first baseline, that has the metric; nil where none has.
func (s *Study) best(baseline bool) *Config {
	for i := range s.Configs {
		if c := &s.Configs[i]; c.Baseline == baseline && c.Stats[0][2] > 0 {
			return c
		}
	}
	return nil
}

// spread is the mean and standard deviation of a figure over n replicates.
type spread struct {
	mean, sd float64
	n        int
}

// String is "0.906 ± 0.132", in one piece, without a spread of one replicate.
func (v spread) String() string {
	switch v.n {
	case 0:
		return "-"
	case 1:
		return shown(v.mean)
	}
	if math.Abs(v.mean) >= 100 {
		return shown(v.mean) + "\u00a0±\u00a0" + table.Count(int64(math.Round(v.sd)))
	}
	return shown(v.mean) + "\u00a0±\u00a0" + shown(v.sd)
}

// stat is a figure of a configuration.
func (s *Study) stat(c *Config, name string) spread {
	for i, f := range s.Figures {
		if f.Name == name {
			return spread{c.Stats[i][0], c.Stats[i][1], int(c.Stats[i][2])}
		}
	}
	return spread{mean: math.NaN()}
}

// chanceOf is what a figure comes to without knowledge, in words.
func (s *Study) chanceOf(name string) string {
	for _, f := range s.Figures {
		if f.Name == name && f.Chance != "" {
			return f.Chance
		}
	}
	return "not known"
}

func (s *Study) keys(best *Config, example *train.Result) []Key {
	seeds := fmt.Sprintf("mean ± standard deviation, %s", plural(s.stat(best, "test.average_precision").n, "seed"))
	keys := []Key{
		{"Average precision on test flows", s.stat(best, "test.average_precision").String(), "chance " + s.chanceOf("test.average_precision") + "; " + seeds},
	}
	if k, n, i, ok := best.found(); ok {
		keys = append(keys, Key{"Attacks found", fmt.Sprintf("%s of %s", tenths(k), tenths(n)), fmt.Sprintf("at the validation threshold; exact 95 %% interval of one seed %.2f to %.2f", i.Low, i.High)})
	}
	if alerts := s.stat(best, "test.alerts_per_day"); alerts.n > 0 {
		note := "true and false together"
		if c := example.Test.Confusion; c != nil {
			note += "; of benign flows " + best.falseAlarms() + " alert"
		}
		keys = append(keys, Key{"Alerts a day", alerts.String(), note})
	}
	return append(keys, Key{"Recall at 0.1 % false alarms", s.stat(best, "test.recall_at_fpr_0.001").String(), "one benign flow in a thousand alerts; chance 0.001"})
}

// counts are the sums of the confusion counts over replicates.
func (c *Config) counts() (tp, fp, fn, tn float64) {
	for _, n := range c.Confusion {
		tp, fp, fn, tn = tp+n[0], fp+n[1], fn+n[2], tn+n[3]
	}
	return tp, fp, fn, tn
}

// found is the mean over replicates of the attacks found and there, with the
// exact interval of one replicate that finds that many.
func (c *Config) found() (k, n float64, interval metric.Interval, ok bool) {
	tp, _, fn, _ := c.counts()
	if tp+fn == 0 {
		return 0, 0, metric.Interval{}, false
	}
	of := float64(len(c.Confusion))
	k, n = tp/of, (tp+fn)/of
	one := metric.Proportion{K: int(math.Round(k)), N: int(math.Round(n))}
	return k, n, one.Interval(metric.Level), true
}

// falseAlarms is "1 in 1,700", the share of benign flows that alert.
func (c *Config) falseAlarms() string {
	_, fp, _, tn := c.counts()
	if fp == 0 {
		return "none"
	}
	return "1 in " + table.Count(int64(math.Round((fp+tn)/fp)))
}

// tenths shows a mean of counts, without a tenth where it is whole.
func tenths(v float64) string {
	if r := math.Round(v*10) / 10; r != math.Trunc(r) {
		return fmt.Sprintf("%.1f", r)
	}
	return table.Count(int64(math.Round(v)))
}

// chosen says how the configuration came to be in front.
func (s *Study) chosen(best *Config) string {
	models, baselines := 0, 0
	for _, c := range s.Configs {
		if c.Baseline {
			baselines++
		} else {
			models++
		}
	}
	text := fmt.Sprintf("It was chosen on validation flows, by %s (%s), among %s; the test flows had no say in it.",
		strings.TrimPrefix(s.Metric.Label, "validation "), s.stat(best, s.Metric.Name), plural(models, "configuration"))
	if base := s.best(true); base != nil && baselines > 0 {
		text += fmt.Sprintf(" The best of %s, %s, reaches an average precision of %s on the test flows.",
			plural(baselines, "trivial baseline"), strings.ReplaceAll(base.Name, "_", " "), s.stat(base, "test.average_precision"))
	}
	return text
}

// howSure says what can be said of the lead.
func (s *Study) howSure(best *Config) string {
	if s.Pairs != nil && s.Pairs.Verdict != "" {
		return s.Pairs.Verdict
	}
	var next *Config
	for i := range s.Configs {
		if c := &s.Configs[i]; !c.Baseline && c != best && c.Stats[0][2] > 0 {
			next = c
			break
		}
	}
	switch lead := s.stat(best, "test.average_precision"); {
	case next == nil:
		return "There is no second configuration to compare it with."
	case lead.n < 2:
		return fmt.Sprintf("It was trained with one seed, as was the next one, %s (%s): how much of the difference is luck cannot be said. Set sweep.replicates to 5 or more.", next.Name, s.stat(next, "test.average_precision"))
	default:
		return fmt.Sprintf("The next one, %s, reaches %s. No test has been made of the difference.", next.Name, s.stat(next, "test.average_precision"))
	}
}

// cost says what the detector asks of the people who read its alerts.
func (s *Study) cost(best *Config, example *train.Result) string {
	alerts := s.stat(best, "test.alerts_per_day")
	tp, fp, _, _ := best.counts()
	if alerts.n == 0 || len(best.Confusion) == 0 {
		return "What it costs in alerts is not evaluable: no threshold could be chosen on the validation flows."
	}
	text := fmt.Sprintf("At the threshold that the validation flows chose it raises %s alerts a day", alerts)
	if tp+fp > 0 {
		text += fmt.Sprintf(", of which %.0f %% are attacks where attacks are as common as in the test flows", 100*tp/(tp+fp))
	}
	return text + fmt.Sprintf(" (%s of %s).", table.Count(int64(example.Test.Positives)), table.Count(int64(example.Test.Rows)))
}

// doubts is what a reader must know before believing the rest.
func (s *Study) doubts(best *Config, example *train.Result) []string {
	var list []string
	if n := s.stat(best, "test.average_precision").n; n < manySeeds {
		list = append(list, fmt.Sprintf("%s: the spread over seeds is itself uncertain below %d.", capital(plural(n, "seed")), manySeeds))
	}
	if n := example.Test.Positives; n < fewAttacks {
		list = append(list, fmt.Sprintf("The test part holds %s: one more or less found moves recall by %.0f %%.", plural(n, "attack"), 100/float64(max(n, 1))))
	}
	if open := s.Progress.Trials - s.Progress.Ended; open > 0 {
		list = append(list, fmt.Sprintf("%s not ended; the figures are of the others.", have(open, "trial")))
	}
	for _, state := range []string{"failed", "diverged", "lost"} {
		if n := s.Progress.States[state]; n > 0 {
			list = append(list, fmt.Sprintf("%s %s.", capital(plural(n, "trial")), state))
		}
	}
	return list
}

func plural(n int, noun string) string {
	if n == 1 {
		return "one " + noun
	}
	return table.Count(int64(n)) + " " + noun + "s"
}

func have(n int, noun string) string {
	verb := " have"
	if n == 1 {
		verb = " has"
	}
	return capital(plural(n, noun)) + verb
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
