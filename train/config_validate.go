package train

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// EarlyStopMetrics are the names, recorded after every epoch, that may end a trial early.
func EarlyStopMetrics() []string {
	return []string{
		"validation.average_precision", "validation.auroc", "validation.loss",
		"validation.recall_at_fpr_0.01", "validation.recall_at_fpr_0.001", "validation.recall_at_fpr_0.0001",
		"train.loss",
	}
}

// LowerIsBetter tells the metrics that are losses from the scores.
func LowerIsBetter(metric string) bool { return strings.HasSuffix(metric, ".loss") }

// Rules lists every field of a Config in the order of a spec, a field that
// others depend on before them. The caller owns the slice.
func Rules() []Rule {
	rules := slices.Concat(modelRules(), detectorRules(), fitRules(), lossRules(), optimizerRules(), loopRules())
	for i, r := range rules {
		section, _, _ := strings.Cut(r.Field, ".")
		if r.When == nil && r.Field != "train.checkpoint_minutes" && (section == "loss" || section == "optimizer" || section == "train") {
			rules[i].When = ofKind(Networks()...)
		}
	}
	return append(rules, thresholdRules()...)
}

// ofKind is the condition of a field that only some kinds of model read.
func ofKind(kinds ...string) *Condition { return &Condition{"model.kind", kinds} }

func modelRules() []Rule {
	autoencoder, network := ofKind("autoencoder"), ofKind(Networks()...)
	return []Rule{
		{Field: "model.kind", OneOf: slices.Concat(Networks(), Detectors()), Doc: "what is trained, or fitted"},
		{Field: "model.hidden", Range: Between(1, 1<<16), MinItems: 1, MaxItems: 64, When: network, Doc: "widths of the hidden layers; an autoencoder lists encoder, bottleneck and decoder"},
		{Field: "model.activation", OneOf: []string{"relu", "leaky_relu", "gelu", "tanh", "sigmoid"}, When: network, Doc: "function of the hidden layers"},
		{Field: "model.init", OneOf: sortedKeys(initSchemes), When: network, Doc: "how weights start; he by default for a dnn, glorot for an autoencoder"},
		{Field: "model.dropout", Range: Share(), When: network, Doc: "probability that a hidden activation is dropped"},
		{Field: "model.norm", OneOf: []string{"none", "batch", "layer"}, When: network, Doc: "normalisation between a hidden layer's product and its activation"},
		{Field: "model.ensemble", Range: Between(1, 256), When: network, Doc: "members, each with its own seed, that are trained and averaged"},
		{Field: "model.noise", Range: FromZero(), When: network, Doc: "standard deviation of the noise on the scaled input in training"},
		{Field: "model.mask", Range: Share(), When: network, Doc: "share of the inputs that is set to 0 in training"},
		{Field: "model.passes", Range: Between(1, 16), When: autoencoder, Doc: "how often a score sends a row through the autoencoder"},
		{Field: "model.score", OneOf: allScores(), When: ofKind(sortedKeys(scores)...), Doc: "how what the model finds becomes a score"},
	}
}

func lossRules() []Rule {
	return []Rule{
		{Field: "loss.kind", OneOf: []string{"bce", "focal", "mse", "huber"}, Doc: "bce or focal for a dnn, mse or huber for an autoencoder"},
		{Field: "loss.class_weight", OneOf: []string{"none", "balanced", "effective"}, Range: Positive(), Doc: "a scheme, or a weight a label"},
		{Field: "loss.beta", Range: Share(), When: &Condition{"loss.class_weight", []string{"effective"}}, Doc: "effective number of samples, Cui et al. 2019"},
		{Field: "loss.gamma", Range: FromZero(), When: &Condition{"loss.kind", []string{"focal"}}, Doc: "focusing parameter, Lin et al. 2017"},
		{Field: "loss.delta", Range: Positive(), When: &Condition{"loss.kind", []string{"huber"}}, Doc: "where the Huber loss turns linear, in scaled units"},
	}
}

func optimizerRules() []Rule {
	adam := &Condition{"optimizer.kind", []string{"adam", "adamw"}}
	step := &Condition{"optimizer.schedule.kind", []string{"step"}}
	return []Rule{
		{Field: "optimizer.kind", OneOf: []string{"sgd", "adam", "adamw"}, Doc: "the update rule"},
		{Field: "optimizer.learning_rate", Range: Positive(), Doc: "the rate after warm-up"},
		{Field: "optimizer.momentum", Range: Share(), When: &Condition{"optimizer.kind", []string{"sgd"}}, Doc: "share of the last step that is kept"},
		{Field: "optimizer.beta1", Range: Share(), When: adam, Doc: "decay of the first moment"},
		{Field: "optimizer.beta2", Range: Share(), When: adam, Doc: "decay of the second moment"},
		{Field: "optimizer.epsilon", Range: Positive(), When: adam, Doc: "added to the root of the second moment"},
		{Field: "optimizer.weight_decay", Range: FromZero(), When: adam, Doc: "shrinks weights; apart from the gradient with adamw"},
		{Field: "optimizer.clip_norm", Range: FromZero(), Doc: "largest Euclidean norm of the gradient; 0 for none"},
		{Field: "optimizer.schedule.kind", OneOf: []string{"constant", "cosine", "step"}, Doc: "how the learning rate moves"},
		{Field: "optimizer.schedule.warmup_epochs", Range: Between(0, 100_000), Doc: "epochs of linear rise from 0"},
		{Field: "optimizer.schedule.min_rate", Range: FromZero(), When: &Condition{"optimizer.schedule.kind", []string{"cosine"}}, Doc: "where a cosine ends"},
		{Field: "optimizer.schedule.step_epochs", Range: Between(1, 100_000), When: step, Doc: "epochs between two drops of the rate"},
		{Field: "optimizer.schedule.factor", Range: &Range{Max: 1, OpenMin: true}, When: step, Doc: "what a drop multiplies the rate by"},
	}
}

func loopRules() []Rule {
	stops := &Condition{"train.early_stop.metric", EarlyStopMetrics()}
	return []Rule{
		{Field: "train.batch", Range: Between(1, 1<<20), Doc: "rows of one step"},
		{Field: "train.epochs", Range: Between(1, 100_000), Doc: "passes over the training rows"},
		{Field: "train.precision", OneOf: sortedKeys(precisions), Doc: "what operands of matrix products are rounded to; tf32 and bf16 need a GPU"},
		{Field: "train.stratified", When: &Condition{"model.kind", []string{"dnn"}}, Doc: "every batch holds at least one positive"},
		{Field: "train.early_stop.metric", OneOf: EarlyStopMetrics(), Optional: true, Doc: "what must improve; without it no trial stops early"},
		{Field: "train.early_stop.patience", Range: Between(1, 100_000), When: stops, Doc: "epochs without improvement before a trial ends"},
		{Field: "train.early_stop.min_delta", Range: FromZero(), When: stops, Doc: "smallest change that is an improvement"},
		{Field: "train.checkpoint_epochs", Range: Between(1, 100_000), Doc: "epochs between checkpoints"},
		{Field: "train.checkpoint_minutes", Range: Between(0, 100_000), Doc: "minutes of training, or of a fit, between checkpoints; 0 for none by time"},
	}
}

func thresholdRules() []Rule {
	return []Rule{
		{Field: "threshold.max_false_positive_rate", Range: &Range{Max: 1, OpenMin: true, OpenMax: true}, Optional: true, Doc: "validation false-positive rate that the threshold keeps to"},
		{Field: "threshold.maximize", OneOf: []string{"f1", "f2", "mcc"}, Optional: true, Doc: "validation figure that the threshold makes best"},
	}
}

// Validate reports the first thing wrong with c, as a *FieldError. Defaults
// must have been filled in.
func (c Config) Validate() error {
	for _, rule := range Rules() {
		if err := c.check(rule); err != nil {
			return err
		}
	}
	checks := []func() *FieldError{c.checkScore, c.checkThreshold}
	if IsDetector(c.Model.Kind) {
		checks = append(checks, c.checkDetector)
	} else {
		checks = append(checks, c.checkObjective, c.checkSchedule, c.checkLoop)
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) check(r Rule) error {
	value := fieldOf(reflect.ValueOf(c).Elem(), r.Field)
	if !r.Applies(c) {
		if value.IsZero() {
			return nil
		}
		return &FieldError{Field: r.Field, Problem: fmt.Sprintf("has an effect only where %s is %s: leave it out",
			r.When.Field, strings.Join(r.When.Is, " or "))}
	}
	if r.Optional && value.IsZero() {
		return nil
	}
	if err := r.Check(value.Interface()); err != nil {
		return err
	}
	return nil
}

// checkObjective holds model and loss together.
func (c Config) checkObjective() *FieldError {
	kinds := []string{"bce", "focal"}
	if c.Model.Kind == "autoencoder" {
		kinds = []string{"mse", "huber"}
	}
	if !slices.Contains(kinds, c.Loss.Kind) {
		return &FieldError{Field: "loss.kind", Problem: fmt.Sprintf("%s does not train a model of kind %s: write %s",
			c.Loss.Kind, c.Model.Kind, strings.Join(kinds, " or "))}
	}
	if c.Model.Kind == "autoencoder" && c.Loss.ClassWeight.Scheme != "none" {
		return &FieldError{Field: "loss.class_weight", Problem: "an autoencoder trains on benign rows only and has no classes to weigh: leave it out or write none"}
	}
	return nil
}

func (c Config) checkSchedule() *FieldError {
	s := c.Optimizer.Schedule
	if s.WarmupEpochs >= c.Train.Epochs && s.WarmupEpochs > 0 {
		return &FieldError{Field: "optimizer.schedule.warmup_epochs", Problem: fmt.Sprintf(
			"%d epochs of warm-up leave none of train.epochs %d", s.WarmupEpochs, c.Train.Epochs)}
	}
	if s.MinRate > c.Optimizer.LearningRate {
		return &FieldError{Field: "optimizer.schedule.min_rate", Problem: fmt.Sprintf(
			"%v is above optimizer.learning_rate %v", s.MinRate, c.Optimizer.LearningRate)}
	}
	return nil
}

func (c Config) checkLoop() *FieldError {
	if c.Model.Norm == "batch" && c.Train.Batch < 2 {
		return &FieldError{Field: "train.batch", Problem: "is 1, but model.norm batch needs a variance: write at least 2"}
	}
	if c.Train.Stratified && c.Train.Batch < 2 {
		return &FieldError{Field: "train.batch", Problem: "is 1, but train.stratified puts a positive beside others into every batch: write at least 2"}
	}
	return nil
}

func (c Config) checkThreshold() *FieldError {
	t := c.Threshold
	switch {
	case t.MaxFalsePositiveRate == 0 && t.Maximize == "":
		return &FieldError{Field: "threshold", Problem: "has no rule: write max_false_positive_rate or maximize"}
	case t.MaxFalsePositiveRate != 0 && t.Maximize != "":
		return &FieldError{Field: "threshold.maximize", Problem: "a threshold follows one rule: leave out maximize or max_false_positive_rate"}
	}
	return nil
}
