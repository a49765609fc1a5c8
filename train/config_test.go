package train

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

func TestDefaultsAreValid(t *testing.T) {
	for _, kind := range []string{"dnn", "autoencoder"} {
		if err := Defaults(kind).Validate(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestCompleteKeepsWhatWasGiven(t *testing.T) {
	c := Config{Model: ModelConfig{Kind: "dnn", Hidden: []int{7}}}
	c.Optimizer.Kind = "sgd" // momentum was given as 0: no default may take its place
	given := []string{"model.kind", "model.hidden", "optimizer.kind", "optimizer.momentum"}
	c.Complete(func(field string) bool {
		for _, g := range given {
			if g == field {
				return true
			}
		}
		return false
	})
	if c.Model.Hidden[0] != 7 || len(c.Model.Hidden) != 1 || c.Optimizer.Momentum != 0 || c.Optimizer.Kind != "sgd" {
		t.Errorf("a given field changed: %+v", c)
	}
	if c.Optimizer.Beta1 != 0 || c.Train.Batch != 1024 {
		t.Errorf("sgd has beta1 %v, batch %d", c.Optimizer.Beta1, c.Train.Batch)
	}
}

// TestValidate names, for each way to spoil a valid Config, the field of the error and a part of its words.
func TestValidate(t *testing.T) {
	cases := []struct {
		kind, field, part string
		spoil             func(*Config)
	}{
		{"", "model.kind", "is missing", func(*Config) {}},
		{"cnn", "model.kind", `"cnn" is not one of dnn, autoencoder, pca, kmeans`, func(*Config) {}},
		{"dnn", "model.hidden", "has 0 entries", func(c *Config) { c.Model.Hidden = nil }},
		{"dnn", "model.hidden", "may have 64", func(c *Config) { c.Model.Hidden = make([]int, 65) }},
		{"dnn", "model.hidden[1]", "is 0, must be at least 1", func(c *Config) { c.Model.Hidden = []int{3, 0} }},
		{"dnn", "model.dropout", "is 1, must be at least 0 and below 1", func(c *Config) { c.Model.Dropout = 1 }},
		{"dnn", "model.dropout", "is NaN", func(c *Config) { c.Model.Dropout = math.NaN() }},
		{"dnn", "model.noise", "must be", func(c *Config) { c.Model.Noise = -1 }},
		{"dnn", "model.score", "only where", func(c *Config) { c.Model.Score = "squared" }},
		{"autoencoder", "model.score", "is missing", func(c *Config) { c.Model.Score = "" }},
		{"dnn", "loss.kind", "does not train a model of kind dnn: write bce or focal", func(c *Config) { c.Loss.Kind = "mse" }},
		{"dnn", "loss.gamma", "only where loss.kind is focal", func(c *Config) { c.Loss.Gamma = 2 }},
		{"dnn", "loss.beta", "only where loss.class_weight is effective", func(c *Config) { c.Loss.Beta = .9 }},
		{"dnn", "loss.class_weight", "not one of none, balanced, effective", func(c *Config) { c.Loss.ClassWeight.Scheme = "given" }},
		{"dnn", "loss.class_weight", "lists no label", func(c *Config) { c.Loss.ClassWeight = ClassWeight{Given, map[string]float64{}} }},
		{"dnn", "loss.class_weight.Bot", "is 0, must be above 0", func(c *Config) {
			c.Loss.ClassWeight = ClassWeight{Given, map[string]float64{"BENIGN": 1, "Bot": 0}}
		}},
		{"autoencoder", "loss.class_weight", "benign rows only", func(c *Config) { c.Loss.ClassWeight.Scheme = "balanced" }},
		{"dnn", "optimizer.learning_rate", "must be above 0", func(c *Config) { c.Optimizer.LearningRate = 0 }},
		{"dnn", "optimizer.learning_rate", "is +Inf", func(c *Config) { c.Optimizer.LearningRate = math.Inf(1) }},
		{"dnn", "optimizer.momentum", "only where optimizer.kind is sgd", func(c *Config) { c.Optimizer.Momentum = .9 }},
		{"dnn", "optimizer.schedule.min_rate", "above optimizer.learning_rate", func(c *Config) {
			c.Optimizer.Schedule = ScheduleConfig{Kind: "cosine", MinRate: 1}
		}},
		{"dnn", "optimizer.schedule.warmup_epochs", "leave none", func(c *Config) { c.Optimizer.Schedule.WarmupEpochs = 20 }},
		{"dnn", "optimizer.schedule.step_epochs", "is 0", func(c *Config) { c.Optimizer.Schedule.Kind = "step" }},
		{"dnn", "train.batch", "is 0", func(c *Config) { c.Train.Batch = 0 }},
		{"dnn", "train.batch", "needs a variance", func(c *Config) { c.Train.Batch, c.Model.Norm = 1, "batch" }},
		{"dnn", "train.early_stop.metric", "is not one of", func(c *Config) { c.Train.EarlyStop.Metric = "test.auroc" }},
		{"dnn", "train.early_stop.patience", "is 0", func(c *Config) { c.Train.EarlyStop.Metric = "train.loss" }},
		{"dnn", "train.early_stop.patience", "only where", func(c *Config) { c.Train.EarlyStop.Patience = 3 }},
		{"autoencoder", "train.stratified", "only where", func(c *Config) { c.Train.Stratified = true }},
		{"dnn", "train.batch", "a positive beside others", func(c *Config) { c.Train.Batch, c.Train.Stratified = 1, true }},
		{"dnn", "threshold", "has no rule", func(c *Config) { c.Threshold = ThresholdConfig{} }},
		{"dnn", "threshold.maximize", "one rule", func(c *Config) { c.Threshold.Maximize = "f1" }},
		{"dnn", "threshold.max_false_positive_rate", "is 1", func(c *Config) { c.Threshold.MaxFalsePositiveRate = 1 }},
	}
	for _, tc := range cases {
		c := Defaults(tc.kind)
		tc.spoil(&c)
		var err *FieldError
		if !errors.As(c.Validate(), &err) {
			t.Errorf("%s %s: no error where %q is wanted", tc.kind, tc.field, tc.part)
			continue
		}
		if err.Field != tc.field || !strings.Contains(err.Problem, tc.part) {
			t.Errorf("got %q, want %s: ...%s...", err, tc.field, tc.part)
		}
	}
}

// TestEveryFieldHasOneRule keeps the rules and the struct from drifting apart.
func TestEveryFieldHasOneRule(t *testing.T) {
	var fields []string
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			name := prefix + f.Tag.Get("yaml")
			// What decides no outcome is not part of what names one.
			if json := f.Tag.Get("json"); json != f.Tag.Get("yaml") && (name != "train.checkpoint_minutes" || json != "-") {
				t.Errorf("%s: json name %q", name, f.Tag.Get("json"))
			}
			if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[ClassWeight]() {
				walk(name+".", f.Type)
				continue
			}
			fields = append(fields, name)
		}
	}
	walk("", reflect.TypeFor[Config]())
	var ruled []string
	for _, r := range Rules() {
		ruled = append(ruled, r.Field)
		if r.Doc == "" {
			t.Errorf("%s: no words on what it is", r.Field)
		}
	}
	if diff := cmp.Diff(fields, ruled); diff != "" {
		t.Errorf("fields (-) and rules (+) differ:\n%s", diff)
	}
}

func TestClassWeightText(t *testing.T) {
	for _, w := range []ClassWeight{
		{Scheme: "none"}, {Scheme: "balanced"},
		{Given, map[string]float64{"BENIGN": 1, "Web Attack - XSS": 1e-3}},
	} {
		asYAML, err := yaml.Marshal(LossConfig{Kind: "bce", ClassWeight: w})
		if err != nil {
			t.Fatal(err)
		}
		var fromYAML LossConfig
		if err := yaml.Unmarshal(asYAML, &fromYAML); err != nil {
			t.Fatalf("%s: %v", asYAML, err)
		}
		asJSON, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		var fromJSON ClassWeight
		if err := json.Unmarshal(asJSON, &fromJSON); err != nil {
			t.Fatalf("%s: %v", asJSON, err)
		}
		if diff := cmp.Diff(w, fromYAML.ClassWeight); diff != "" {
			t.Errorf("through YAML:\n%s%s", asYAML, diff)
		}
		if diff := cmp.Diff(w, fromJSON); diff != "" {
			t.Errorf("through JSON:\n%s%s", asJSON, diff)
		}
	}
	var w ClassWeight
	for _, bad := range []string{`3`, `["none"]`, `{"BENIGN": "x"}`} {
		if err := json.Unmarshal([]byte(bad), &w); err == nil {
			t.Errorf("%s was read as %+v", bad, w)
		}
	}
}
