package metric

import "fmt"

// LabelRecall is how many rows of one attack label alert.
type LabelRecall struct {
	Label    string   `json:"label"`
	Detected int      `json:"detected"`
	Rows     int      `json:"rows"`
	Recall   Value    `json:"recall"`
	Interval Interval `json:"interval"` // Clopper-Pearson at Level; 0 to 1 without rows
}

// String is "Bot 17/36 [0.304, 0.645]", or the label and why there is no recall.
func (l LabelRecall) String() string {
	if !l.Recall.OK {
		return l.Label + " " + l.Recall.String()
	}
	return l.Label + " " + Proportion{l.Detected, l.Rows}.String()
}

// labelCounts counts the rows of each label and those that alert.
type labelCounts struct {
	rows, detected []int
	attack         []bool // whether the rows of the label are positives
}

// countLabels walks the rows once. Every row of a label must have the same
// truth, and every label a name.
func countLabels(in Input) (labelCounts, error) {
	k := len(in.LabelNames)
	c := labelCounts{rows: make([]int, k), detected: make([]int, k), attack: make([]bool, k)}
	for i, label := range in.Labels {
		switch {
		case label < 0 || int(label) >= k:
			return c, fmt.Errorf("row %d has label %d, but there are %d label names", i, label, k)
		case c.rows[label] == 0:
			c.attack[label] = in.Positive[i]
		case c.attack[label] != in.Positive[i]:
			return c, fmt.Errorf("label %s has rows of either truth: row %d differs from the rows before it", in.LabelNames[label], i)
		}
		c.rows[label]++
		if in.Threshold.OK && Alert(in.Scores[i], in.Threshold.V) {
			c.detected[label]++
		}
	}
	return c, nil
}

// labelRecalls is one entry an attack label, in the order of LabelNames: those
// with rows, and those of Attacks without.
func labelRecalls(in Input) ([]LabelRecall, error) {
	c, err := countLabels(in)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, name := range in.Attacks {
		wanted[name] = true
	}
	var out []LabelRecall
	for i, name := range in.LabelNames {
		if !c.attack[i] && !(c.rows[i] == 0 && wanted[name]) {
			continue
		}
		l := LabelRecall{Label: name, Rows: c.rows[i], Detected: c.detected[i]}
		l.Interval = Proportion{l.Detected, l.Rows}.Interval(Level)
		switch {
		case !in.Threshold.OK:
			l.Recall = in.Threshold
			l.Interval = Proportion{}.Interval(Level)
		default:
			l.Recall = ratio(l.Detected, l.Rows, noRows).in(in.Part)
		}
		out = append(out, l)
	}
	return out, nil
}
