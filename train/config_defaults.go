package train

// Defaults is the Config of a model of the given kind, one of Networks or
// Detectors, where a spec says nothing else.
func Defaults(kind string) Config {
	c := Config{Model: ModelConfig{Kind: kind}}
	c.Complete(func(field string) bool { return field == "model.kind" })
	return c
}

// Complete gives every field that was not given its default. What the default
// is depends on the fields that choose a kind, and a field without effect for
// the chosen kind stays zero. given is asked for paths such as model.hidden.
func (c *Config) Complete(given func(field string) bool) {
	f := filler{given}
	if IsDetector(c.Model.Kind) {
		// A study that compares detectors with networks gives these for the latter.
		c.Loss, c.Optimizer, c.Train = LossConfig{}, OptimizerConfig{}, LoopConfig{CheckpointMinutes: c.Train.CheckpointMinutes}
		c.Model.completeDetector(f)
	} else {
		c.Model.complete(f)
		c.Loss.complete(f, c.Model.Kind)
		c.Optimizer.complete(f)
		c.Train.complete(f)
	}
	f.real("train.checkpoint_minutes", &c.Train.CheckpointMinutes, checkpointMinutes)
	if !given("threshold.max_false_positive_rate") && !given("threshold.maximize") {
		c.Threshold.MaxFalsePositiveRate = 1e-3
	}
}

// checkpointMinutes is what a crash costs at the most. A checkpoint takes some
// milliseconds.
const checkpointMinutes = 5

// filler sets fields that were not given.
type filler struct{ given func(field string) bool }

func (f filler) text(field string, to *string, value string)   { fill(f, field, to, value) }
func (f filler) whole(field string, to *int, value int)        { fill(f, field, to, value) }
func (f filler) real(field string, to *float64, value float64) { fill(f, field, to, value) }

func fill[T any](f filler, field string, to *T, value T) {
	if !f.given(field) {
		*to = value
	}
}

func (m *ModelConfig) complete(f filler) {
	hidden, init := []int{128, 64, 32}, "he"
	if m.Kind == "autoencoder" {
		hidden, init = []int{64, 32, 16, 32, 64}, "glorot"
		// Under plain squared errors the few columns that no model reconstructs
		// drown the rest, so each residual is put on its own scale.
		f.text("model.score", &m.Score, "variance")
		f.whole("model.passes", &m.Passes, 1)
	}
	fill(f, "model.hidden", &m.Hidden, hidden)
	f.text("model.init", &m.Init, init)
	f.text("model.activation", &m.Activation, "relu")
	f.text("model.norm", &m.Norm, "none")
	f.whole("model.ensemble", &m.Ensemble, 1)
}

func (l *LossConfig) complete(f filler, model string) {
	kind := "bce"
	if model == "autoencoder" {
		kind = "mse"
	}
	f.text("loss.kind", &l.Kind, kind)
	fill(f, "loss.class_weight", &l.ClassWeight, ClassWeight{Scheme: "none"})
	if l.ClassWeight.Scheme == "effective" {
		f.real("loss.beta", &l.Beta, 0.9999) // the largest that Cui et al. 2019 try, section 5
	}
	switch l.Kind {
	case "focal":
		f.real("loss.gamma", &l.Gamma, 2) // Lin et al. 2017, section 4
	case "huber":
		f.real("loss.delta", &l.Delta, 1)
	}
}

func (o *OptimizerConfig) complete(f filler) {
	f.text("optimizer.kind", &o.Kind, "adam")
	f.real("optimizer.learning_rate", &o.LearningRate, 1e-3)
	switch o.Kind {
	case "sgd":
		f.real("optimizer.momentum", &o.Momentum, 0.9)
	case "adamw":
		f.real("optimizer.weight_decay", &o.WeightDecay, 1e-2)
		fallthrough
	case "adam": // Kingma, Ba 2015, algorithm 1
		f.real("optimizer.beta1", &o.Beta1, 0.9)
		f.real("optimizer.beta2", &o.Beta2, 0.999)
		f.real("optimizer.epsilon", &o.Epsilon, 1e-8)
	}
	f.text("optimizer.schedule.kind", &o.Schedule.Kind, "constant")
	if o.Schedule.Kind == "step" {
		f.whole("optimizer.schedule.step_epochs", &o.Schedule.StepEpochs, 10)
		f.real("optimizer.schedule.factor", &o.Schedule.Factor, 0.1)
	}
}

func (l *LoopConfig) complete(f filler) {
	f.whole("train.batch", &l.Batch, 1024)
	f.text("train.precision", &l.Precision, "fp32")
	f.whole("train.epochs", &l.Epochs, 20)
	f.whole("train.checkpoint_epochs", &l.CheckpointEpochs, 1)
	if l.EarlyStop.Metric != "" {
		f.whole("train.early_stop.patience", &l.EarlyStop.Patience, 4)
	}
}
