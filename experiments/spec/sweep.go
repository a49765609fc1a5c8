package spec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"flowbench/train"
)

// Sweep says over what a study searches.
type Sweep struct {
	// Method is grid (every combination), random (draws), sobol (points that fill
	// the space evenly) or tpe (suggestions from what earlier trials found).
	Method string `yaml:"method" json:"method"`
	// Trials is how many configurations there are; 0 for a grid.
	Trials int `yaml:"trials" json:"trials"`
	// Concurrency is how many configurations tpe has in flight: configuration c is
	// suggested once all up to c - Concurrency have ended. 0 for other methods.
	Concurrency int `yaml:"concurrency" json:"concurrency,omitempty"`
	// Replicates is how many seeds train each configuration.
	Replicates int `yaml:"replicates" json:"replicates"`
	// Seed decides what is drawn, and the seeds of the replicates.
	Seed   uint64 `yaml:"seed" json:"seed"`
	Metric Metric `yaml:"metric" json:"metric"`
	// TPE is nil for other methods.
	TPE *TPE `yaml:"tpe" json:"tpe,omitempty"`
	// EarlyTerminate is nil where every trial trains to its end.
	EarlyTerminate *EarlyTerminate `yaml:"early_terminate" json:"early_terminate,omitempty"`
	// Retries is how many attempts a trial gets after one that failed.
	Retries int `yaml:"retries" json:"-"`
	// MaxFailed is how many failed trials stop the study.
	MaxFailed int    `yaml:"max_failed" json:"-"`
	Budget    Budget `yaml:"budget" json:"-"`
	// Slurm is nil where the spec says nothing of it.
	Slurm *Slurm `yaml:"slurm" json:"-"`
	// Variants are alternatives that differ in more than one value, such as kinds
	// of model; each is crossed with Parameters and its own parameters.
	Variants   Variants   `yaml:"variants" json:"variants"`
	Parameters Parameters `yaml:"parameters" json:"parameters"`

	// settled are, for each variant, the values of paths that conditions name and
	// that the variant does not vary.
	settled []map[string]any
}

// Metric is what a study ranks its configurations by.
type Metric struct {
	Name string `yaml:"name" json:"name"`
	// Goal is maximize or minimize; it follows from Name.
	Goal string `yaml:"goal" json:"goal"`
}

// Variant is a named set of values that belong together.
type Variant struct {
	Name       string     `yaml:"name" json:"name"`
	Set        Params     `yaml:"set" json:"set"`
	Parameters Parameters `yaml:"parameters" json:"parameters"`
}

// Variants is a list of variants with different names.
type Variants []Variant

// Parameters is a mapping from path to Parameter, in written order.
type Parameters []Parameter

// Parameter is one thing that a sweep varies: over Values, or over a range.
type Parameter struct {
	Path   string `json:"path"`
	Values []any  `json:"values"` // as in Param.Value; empty for a range
	// Distribution is one of Distributions.
	Distribution string  `json:"distribution"`
	Min          float64 `json:"min"`
	Max          float64 `json:"max"`
	Step         float64 `json:"step"` // 0: none
	// Whole says that the field holds whole numbers.
	Whole bool `json:"whole"`
	// When are the conditions under which there is such a parameter: all must hold.
	When []Condition `json:"when,omitempty"`

	candidates []value // what is checked: the values, or the ends of the range
	keyAt      place
}

// Distributions are the ways to draw from a range. Each takes a step, which
// leaves min, min+step, ... up to max; the int forms, whose step is 1 where none
// is given, include both ends.
func Distributions() []string {
	return []string{"uniform", "log_uniform", "int_uniform", "int_log_uniform"}
}

// SweepMetrics are the figures that a study may rank by. Those of the test rows
// are not among them: what chose a model cannot also say how good it is.
func SweepMetrics() []string {
	return append(train.EarlyStopMetrics(), "validation.f1", "validation.f2", "validation.mcc")
}

const (
	maxConfigurations = 100_000
	maxReplicates     = 1_000
)

func sweepRules() []train.Rule {
	rules := []train.Rule{
		{Field: "sweep.method", OneOf: Methods(), Doc: "every combination, draws, points spread evenly, or suggestions from what earlier trials found"},
		{Field: "sweep.trials", Range: train.Between(1, maxConfigurations), Doc: "configurations of a method that is no grid"},
		{Field: "sweep.replicates", Range: train.Between(1, maxReplicates), Doc: "seeds that train each configuration"},
		{Field: "sweep.seed", Range: train.Between(0, maxSeed), Doc: "decides the draws and the seeds of the replicates"},
		{Field: "sweep.metric.name", OneOf: SweepMetrics(), Doc: "what configurations are ranked by"},
		{Field: "sweep.metric.goal", OneOf: []string{"maximize", "minimize"}, Doc: "follows from the name"},
		{Field: "sweep.variants", Doc: "alternatives that differ in more than one value"},
		{Field: "sweep.parameters", Doc: "what is varied: path to values or range"},
	}
	return slices.Concat(rules, adaptiveRules(), limitRules())
}

// Methods are the ways to search. The caller owns the slice.
func Methods() []string { return []string{"grid", "random", "sobol", "tpe"} }

// variants is what a study crosses with its parameters: at least one, the one
// without a name where the spec lists none.
func (s *Sweep) variants() []Variant {
	if s == nil || len(s.Variants) == 0 {
		return []Variant{{}}
	}
	return s.Variants
}

// parametersOf lists the common parameters, then those of a variant.
func (s *Sweep) parametersOf(v Variant) []Parameter {
	if s == nil {
		return nil
	}
	return slices.Concat(s.Parameters, v.Parameters)
}

func variantNamed(variants []Variant, name any) (Variant, error) {
	var names []string
	for _, v := range variants {
		if v.Name == name {
			return v, nil
		}
		names = append(names, v.Name)
	}
	return Variant{}, fmt.Errorf("variant %v is not in the spec, which has %s", name, strings.Join(names, ", "))
}

func (s *Sweep) read(v value, path string) *Error {
	if m, ok := v.lookup("metric.name"); ok && strings.HasPrefix(m.text, "test.") {
		return m.at.errorf(path+".metric.name", "is measured on the test rows: what chooses a model cannot also say how good it is; write validation.%s",
			strings.TrimPrefix(m.text, "test."))
	}
	type fields Sweep // without this method
	*s = Sweep{Replicates: 1, Seed: 1, Retries: defaultRetries, MaxFailed: defaultMaxFailed}
	if err := decodeStruct(v, path, reflect.ValueOf((*fields)(s)).Elem()); err != nil {
		return err
	}
	for _, check := range []func(value, string) *Error{
		s.checkMethod, s.checkAdaptive, s.checkMetric, s.checkTerminate, s.checkSlurm, s.checkSpace,
	} {
		if err := check(v, path); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sweep) checkMethod(v value, path string) *Error {
	switch {
	case s.Method == "":
		return v.at.errorf(path+".method", "is missing: write one of %s", strings.Join(Methods(), ", "))
	case s.Method != "grid" && s.Trials == 0:
		return v.at.errorf(path+".trials", "is missing: %s needs a number of configurations", s.Method)
	case s.Method == "grid" && s.Trials != 0:
		return v.place("trials").errorf(path+".trials", "means nothing to a grid, which runs every combination: leave it out, or write method: random")
	case s.Method != "grid":
		return nil
	}
	for _, variant := range s.variants() {
		for _, p := range s.parametersOf(variant) {
			if p.Distribution != "" {
				return p.keyAt.errorf(p.Path, "has a distribution, but a grid needs values: list them, or write method: random")
			}
		}
	}
	return nil
}

func (s *Sweep) checkMetric(v value, path string) *Error {
	if s.Metric.Name == "" {
		s.Metric.Name = "validation.average_precision"
	}
	goal := "maximize"
	if train.LowerIsBetter(s.Metric.Name) {
		goal = "minimize"
	}
	if s.Metric.Goal != "" && s.Metric.Goal != goal {
		return v.place("metric.goal").errorf(path+".metric.goal", "is %s, but %s is better the other way: leave goal out or write %s",
			s.Metric.Goal, s.Metric.Name, goal)
	}
	s.Metric.Goal = goal
	return nil
}

// checkSpace makes sure that there is something to search, and that no path is
// given values in two places of one variant.
func (s *Sweep) checkSpace(v value, path string) *Error {
	if len(s.Parameters) == 0 && len(s.Variants) == 0 {
		return v.at.errorf(path, "has an empty search space: list parameters or variants, or leave sweep out")
	}
	for _, variant := range s.Variants {
		var seen []string
		for _, set := range variant.Set {
			seen = append(seen, set.Path)
		}
		for _, p := range s.parametersOf(variant) {
			if slices.Contains(seen, p.Path) {
				return p.keyAt.errorf(p.Path, "has values in two places of variant %s: keep one", variant.Name)
			}
			seen = append(seen, p.Path)
		}
	}
	return nil
}
