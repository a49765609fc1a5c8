package page

// Study is everything that a page says of a study: plain data, in which every
// figure is final. The page chooses, sorts and draws; it computes no statistic.
type Study struct {
	Kind  string `json:"kind"` // "study", which tells the page what it holds
	Title string `json:"title"`
	// Live says that the page follows a sweep that runs.
	Live     bool     `json:"live"`
	Overview Overview `json:"overview"`
	Progress Progress `json:"progress"`
	Metric   Figure   `json:"metric"`  // what configurations are ranked by
	Figures  []Figure `json:"figures"` // the columns of the table
	Params   []Param  `json:"params"`  // those that differ, but for what names stand for
	Configs  []Config `json:"configs"` // best first, baselines last
	// Pairs is nil where there are no two configurations to compare.
	Pairs   *Pairs    `json:"pairs,omitempty"`
	Ranking *Ranking  `json:"importance,omitempty"`
	Curves  CurveNote `json:"curves"`
	Sources []Source  `json:"sources"` // one a study
	Made    []Fact    `json:"made"`    // what made the page, and on what
}

// Overview is the study in words.
type Overview struct {
	Headline string   `json:"headline"`
	Facts    []Key    `json:"facts"`
	Text     []string `json:"text"`     // paragraphs
	Warnings []string `json:"warnings"` // what a reader must know before believing the rest
}

// Key is one key figure.
type Key struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Note  string `json:"note"`
}

// Fact is a name and what is said under it.
type Fact struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Progress counts the trials by state.
type Progress struct {
	Trials  int            `json:"trials"`
	Ended   int            `json:"ended"`
	States  map[string]int `json:"states"`
	Running []RunningTrial `json:"running,omitempty"`
}

// RunningTrial is a trial at work.
type RunningTrial struct {
	Trial     int    `json:"trial"`
	Name      string `json:"name"`
	Epochs    int    `json:"epochs"`
	MaxEpochs int    `json:"max_epochs"` // 0 where it has none
}

// Figure is a metric that every configuration may have.
type Figure struct {
	Name     string `json:"name"`  // test.average_precision
	Label    string `json:"label"` // test AP
	Maximize bool   `json:"maximize"`
	Neutral  bool   `json:"neutral,omitempty"` // neither more nor less is better in itself
	Chance   string `json:"chance,omitempty"`
}

// Param is a parameter in which configurations differ.
type Param struct {
	Path  string `json:"path"`
	Label string `json:"label"`
	// Scale is linear, log or category: the axis that its values lie on.
	Scale  string   `json:"scale"`
	Values []string `json:"values,omitempty"` // of a category, in order
}

// Config is a configuration and what its trials found.
type Config struct {
	Name     string `json:"name"`
	Study    int    `json:"study"` // index into Sources
	Model    string `json:"model"`
	Baseline bool   `json:"baseline,omitempty"`
	// Params holds the values of Study.Params in their order: a number, a text,
	// or null where the configuration has none.
	Params []any          `json:"params"`
	Set    map[string]any `json:"set"`    // every parameter by its path
	States []string       `json:"states"` // one a replicate
	Reason []string       `json:"reasons,omitempty"`
	Seeds  []uint64       `json:"seeds"`
	// Stats holds mean, standard deviation and number of replicates of every one
	// of Study.Figures, in their order; the metric first.
	Stats []Numbers `json:"stats"`
	// Values holds what each replicate found of the same.
	Values    []Numbers           `json:"values"`
	Labels    []LabelRecall       `json:"labels,omitempty"`
	Confusion []Numbers           `json:"confusion,omitempty"` // TP, FP, FN, TN of each replicate that has them
	Learning  map[string]Learning `json:"learning,omitempty"`
	Curves    []Curve             `json:"curves,omitempty"` // one a replicate
	Scores    []Scores            `json:"scores,omitempty"` // one a replicate
}

// LabelRecall is how many flows of an attack are found at the threshold that the
// validation part chose: means over replicates, with the exact interval of one
// replicate that finds that many. Replicates share flows, so that adding their
// counts would claim more than they know.
type LabelRecall struct {
	Label string `json:"label"`
	K     Number `json:"k"`
	N     Number `json:"n"`
	Low   Number `json:"low"`
	High  Number `json:"high"`
}

// Learning is a metric over epochs, over all networks of a configuration.
type Learning struct {
	Epoch []int   `json:"epoch"`
	Mean  Numbers `json:"mean"`
	Low   Numbers `json:"low"`  // the smallest
	High  Numbers `json:"high"` // the largest
	N     []int   `json:"n"`    // networks that reached the epoch
}

// Curve is the precision-recall and the ROC curve of one replicate on its test part.
type Curve struct {
	Seed   uint64  `json:"seed"`
	Recall Numbers `json:"recall"` // of the precision-recall curve
	Prec   Numbers `json:"precision"`
	FPR    Numbers `json:"fpr"` // of the ROC curve
	TPR    Numbers `json:"tpr"`
	// Floor is half the smallest false-positive rate that the part can show.
	Floor  Number           `json:"floor"`
	Points []OperatingPoint `json:"points"`
}

// OperatingPoint is where a threshold puts a detector on both curves.
type OperatingPoint struct {
	Name      string `json:"name"`
	Recall    Number `json:"recall"`
	Precision Number `json:"precision"` // null without an alert
	FPR       Number `json:"fpr"`
}

// Scores is how the scores of one replicate's test part are spread.
type Scores struct {
	Seed      uint64  `json:"seed"`
	Log       bool    `json:"log"` // the bins are equal on a logarithmic axis
	Edges     Numbers `json:"edges"`
	Benign    []int   `json:"benign"`
	Attack    []int   `json:"attack"`
	Threshold Number  `json:"threshold"` // null where there is none
}

// CurveNote says what the curves leave out.
type CurveNote struct {
	Bound  Number `json:"bound"`  // of what thinning may move a curve, as a share of an axis
	Held   int    `json:"held"`   // configurations whose curves are held, the best ones
	Absent string `json:"absent"` // why there are none, where there are none
}

// Pairs compares the best model with every other configuration.
type Pairs struct {
	Best    string   `json:"best"`
	Metric  string   `json:"metric"`
	Method  string   `json:"method"`
	Verdict string   `json:"verdict"`
	Entries []Paired `json:"entries"`
}

// Paired is the best model against another one.
type Paired struct {
	Config     string `json:"config"`
	Seeds      int    `json:"seeds"`      // pairs of them
	Difference Number `json:"difference"` // best minus other, mean over seeds
	Low        Number `json:"low"`
	High       Number `json:"high"`
	P          Number `json:"p"`      // over seeds, after correction
	Effect     Number `json:"effect"` // Cliff's delta
	// Rows is the test over rows of the test part; nil where none was made.
	Rows      *PairedRows `json:"rows,omitempty"`
	Verdict   string      `json:"verdict"`   // in words
	Evaluable bool        `json:"evaluable"` // false where no result could have shown a difference
}

// PairedRows is the difference of average precisions over test rows.
type PairedRows struct {
	Difference Number `json:"difference"`
	Low        Number `json:"low"`
	High       Number `json:"high"`
	P          Number `json:"p"` // after correction
}

// Ranking is how much each parameter matters for the metric.
type Ranking struct {
	Method  string       `json:"method"`
	Note    string       `json:"note,omitempty"`
	Entries []Importance `json:"entries"`
}

// Importance is a parameter's share.
type Importance struct {
	Param string `json:"param"`
	Value Number `json:"value"`
	Low   Number `json:"low"`
	High  Number `json:"high"`
}

// Source is where a study came from, and the flows that it was trained on.
type Source struct {
	Name        string   `json:"name"`
	Spec        string   `json:"spec"`
	Assignments []string `json:"set,omitempty"`
	Facts       []Fact   `json:"facts"`
	Ledger      *Table   `json:"ledger,omitempty"`
	Columns     *Table   `json:"columns,omitempty"`
	Split       *Table   `json:"split,omitempty"`
	Leakage     *Table   `json:"leakage,omitempty"`
	Single      *Table   `json:"single,omitempty"`
	// Report is the data report as text, where the study holds one.
	Report string `json:"report,omitempty"`
}

// Table is a table as the page shows it: text cells, numbers to the right.
type Table struct {
	Title string     `json:"title"`
	Note  string     `json:"note,omitempty"`
	Head  []string   `json:"head"`
	Right []bool     `json:"right"` // which columns are numbers
	Rows  [][]string `json:"rows"`
}
