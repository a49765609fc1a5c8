package metric

import (
	"encoding/json"
	"fmt"
	"math"
)

// ClassInput is one split of a task with several classes as a model scored it.
type ClassInput struct {
	Part    string
	Scores  []float32 // rows × len(Classes), row-major; higher means more likely of that class
	Labels  []int32   // the true class of each row, an index into Classes
	Classes []string
}

// ClassFigures is one class against all others. The verdict on a row is the
// class of its highest score, the first where several are equal.
type ClassFigures struct {
	Class                  string   `json:"class"`
	Rows                   int      `json:"rows"`
	AveragePrecision       Value    `json:"average_precision"`
	AveragePrecisionChance Value    `json:"average_precision_chance"`
	AUROC                  Value    `json:"auroc"`
	Precision              Value    `json:"precision"`
	Recall                 Value    `json:"recall"`
	RecallInterval         Interval `json:"recall_interval"` // Clopper-Pearson at Level; 0 to 1 without rows
	F1                     Value    `json:"f1"`
}

// ClassReport is every figure of one split of a task with several classes.
type ClassReport struct {
	Part string `json:"part"`
	Rows int    `json:"rows"`
	// MacroClasses is how many classes have rows in the split. The macro
	// figures are plain means over these; the others are not evaluable.
	MacroClasses          int            `json:"macro_classes"`
	MacroAveragePrecision Value          `json:"macro_average_precision"`
	MacroRecall           Value          `json:"macro_recall"`
	MacroF1               Value          `json:"macro_f1"`
	Classes               []ClassFigures `json:"classes"`
	// Confusion[i][j] counts the rows of class i with verdict j.
	Confusion [][]int `json:"confusion"`
	// NotEvaluable holds, by the name of the figure, why it is null.
	NotEvaluable map[string]string `json:"not_evaluable"`
}

// EvaluateClasses computes every figure of a split. It panics where the lengths
// do not fit together.
func EvaluateClasses(in ClassInput) (*ClassReport, error) {
	if len(in.Scores) != len(in.Labels)*len(in.Classes) {
		panic("metric: scores are not rows times classes")
	}
	r := &ClassReport{Part: in.Part, Rows: len(in.Labels)}
	if err := r.count(in); err != nil {
		return nil, fmt.Errorf("evaluating %s: %w", in.Part, err)
	}
	for j := range in.Classes {
		f, err := r.class(in, j)
		if err != nil {
			return nil, fmt.Errorf("evaluating %s: %w", in.Part, err)
		}
		r.Classes = append(r.Classes, f)
	}
	r.macro()
	r.NotEvaluable = reasons(r.values())
	return r, nil
}

// count fills the confusion matrix.
func (r *ClassReport) count(in ClassInput) error {
	k := len(in.Classes)
	r.Confusion = make([][]int, k)
	for i := range r.Confusion {
		r.Confusion[i] = make([]int, k)
	}
	for i, label := range in.Labels {
		if label < 0 || int(label) >= k {
			return fmt.Errorf("row %d has class %d, but there are %d classes", i, label, k)
		}
		verdict := 0
		for j, s := range in.Scores[i*k : i*k+k] {
			if math.IsNaN(float64(s)) {
				return &NaNError{Row: i, Class: in.Classes[j]}
			}
			if s > in.Scores[i*k+verdict] {
				verdict = j
			}
		}
		r.Confusion[label][verdict]++
	}
	return nil
}

// class computes the figures of class j against the rest.
func (r *ClassReport) class(in ClassInput, j int) (ClassFigures, error) {
	k := len(in.Classes)
	scores, is := make([]float64, len(in.Labels)), make([]bool, len(in.Labels))
	for i, label := range in.Labels {
		scores[i], is[i] = float64(in.Scores[i*k+j]), int(label) == j
	}
	ranking, err := Rank(scores, is)
	if err != nil {
		return ClassFigures{}, err
	}
	c := r.against(j)
	reason := "no rows of " + in.Classes[j]
	named := func(v Value) Value {
		if v.Reason == noPositives {
			v.Reason = reason
		}
		return v.in(in.Part)
	}
	precision := c.Precision()
	if !precision.OK {
		precision.Reason = "no verdict is " + in.Classes[j]
	}
	return ClassFigures{
		Class:                  in.Classes[j],
		Rows:                   c.positives(),
		AveragePrecision:       named(ranking.AveragePrecision()),
		AveragePrecisionChance: named(ranking.Chance()),
		AUROC:                  named(ranking.AUROC()),
		Precision:              named(precision),
		Recall:                 named(c.Recall()),
		RecallInterval:         Proportion{c.TP, c.positives()}.Interval(Level),
		F1:                     named(c.F1()),
	}, nil
}

// against is the confusion of class j with all others taken together.
func (r *ClassReport) against(j int) Confusion {
	var c Confusion
	for truth, row := range r.Confusion {
		for verdict, n := range row {
			switch {
			case truth == j && verdict == j:
				c.TP += n
			case truth == j:
				c.FN += n
			case verdict == j:
				c.FP += n
			default:
				c.TN += n
			}
		}
	}
	return c
}

// macro averages over the classes that have rows.
func (r *ClassReport) macro() {
	var ap, recall, f1 float64
	for _, f := range r.Classes {
		if f.Rows > 0 {
			r.MacroClasses++
			ap += f.AveragePrecision.V
			recall += f.Recall.V
			f1 += f.F1.V
		}
	}
	if r.MacroClasses < 2 {
		none := NotEvaluable("rows of fewer than two classes").in(r.Part)
		r.MacroAveragePrecision, r.MacroRecall, r.MacroF1 = none, none, none
		return
	}
	n := float64(r.MacroClasses)
	r.MacroAveragePrecision, r.MacroRecall, r.MacroF1 = Of(ap/n), Of(recall/n), Of(f1/n)
}

// values lists the figures in the order of a table, those of a class as "recall.Bot".
func (r *ClassReport) values() []namedValue {
	out := []namedValue{
		{"macro_average_precision", &r.MacroAveragePrecision},
		{"macro_recall", &r.MacroRecall},
		{"macro_f1", &r.MacroF1},
	}
	for i := range r.Classes {
		f := &r.Classes[i]
		out = append(out,
			namedValue{"average_precision." + f.Class, &f.AveragePrecision},
			namedValue{"average_precision_chance." + f.Class, &f.AveragePrecisionChance},
			namedValue{"auroc." + f.Class, &f.AUROC},
			namedValue{"precision." + f.Class, &f.Precision},
			namedValue{"recall." + f.Class, &f.Recall},
			namedValue{"f1." + f.Class, &f.F1})
	}
	return out
}

// Figures lists the figures, evaluable or not, in the order of a table.
func (r *ClassReport) Figures() []Figure { return figures(r.values()) }

// Flatten holds the evaluable figures by name, and the counts rows and macro_classes.
func (r *ClassReport) Flatten() map[string]float64 {
	flat := flatten(r.values())
	flat["rows"], flat["macro_classes"] = float64(r.Rows), float64(r.MacroClasses)
	return flat
}

// UnmarshalJSON reads what json.Marshal wrote and gives every null its reason back.
func (r *ClassReport) UnmarshalJSON(text []byte) error {
	type plain ClassReport // without this method
	if err := json.Unmarshal(text, (*plain)(r)); err != nil {
		return fmt.Errorf("metric class report: %w", err)
	}
	explain(r.values(), r.NotEvaluable)
	return nil
}
