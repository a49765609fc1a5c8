package train

// Config is everything that decides the outcome of one trial besides its data:
// two trials with equal Config, data, seed and backend have equal weights to
// the bit. The yaml names are the keys of a spec.
type Config struct {
	Model     ModelConfig     `yaml:"model" json:"model"`
	Loss      LossConfig      `yaml:"loss" json:"loss"`
	Optimizer OptimizerConfig `yaml:"optimizer" json:"optimizer"`
	Train     LoopConfig      `yaml:"train" json:"train"`
	Threshold ThresholdConfig `yaml:"threshold" json:"threshold"`
}

// ModelConfig says what is trained.
type ModelConfig struct {
	// Kind is "dnn" or "autoencoder"; a study also makes trials of the Baselines,
	// which read nothing else of the model.
	Kind string `yaml:"kind" json:"kind"`
	// Hidden is the widths of the hidden layers, input to output; an
	// autoencoder lists encoder, bottleneck and decoder: [64, 32, 16, 32, 64].
	Hidden []int `yaml:"hidden" json:"hidden"`
	// Activation is relu, leaky_relu, gelu, tanh or sigmoid.
	Activation string `yaml:"activation" json:"activation"`
	// Init is how weights start: he (suits rectifiers) or glorot (smaller, all
	// layers alike). A denoising autoencoder finds attacks better from glorot.
	Init string `yaml:"init" json:"init"`
	// Dropout is the probability in [0, 1) that a hidden activation is dropped.
	Dropout float64 `yaml:"dropout" json:"dropout"`
	// Norm is none, batch or layer: put between a hidden layer's product and its activation.
	Norm string `yaml:"norm" json:"norm"`
	// Ensemble is how many members, each with its own seed, are trained and averaged.
	Ensemble int `yaml:"ensemble" json:"ensemble"`
	// Noise is the standard deviation of the Gaussian noise on the scaled input
	// in training; Mask is the share of inputs set to 0 there. An autoencoder is to
	// reconstruct the clean input (Vincent et al. 2008).
	Noise float64 `yaml:"noise" json:"noise"`
	Mask  float64 `yaml:"mask" json:"mask"`
	// Passes is how often an autoencoder's score sends a row through it: from the
	// second time on the reconstruction is reconstructed, which moves it further
	// towards what the training rows look like.
	Passes int `yaml:"passes" json:"passes"`
	// Score is how an autoencoder turns residuals r_j into a score: "squared"
	// (mean r²), "variance" (mean r²/training variance of r_j), "log_median"
	// (mean log1p(|r_j| / training median of |r_j|)) or "log_median_squared" (the
	// mean of those logarithms' squares).
	Score string `yaml:"score" json:"score"`
}

// LossConfig is the training objective.
type LossConfig struct {
	// Kind is bce or focal for a DNN (softmax cross-entropy where the task has
	// more than two classes), mse or huber for an autoencoder.
	Kind string `yaml:"kind" json:"kind"`
	// ClassWeight is none, balanced, effective, or a weight a label.
	ClassWeight ClassWeight `yaml:"class_weight" json:"class_weight"`
	// Beta is the effective-number parameter of Cui et al. 2019.
	Beta float64 `yaml:"beta" json:"beta"`
	// Gamma is the focusing parameter of Lin et al. 2017.
	Gamma float64 `yaml:"gamma" json:"gamma"`
	// Delta is where the Huber loss turns linear, in scaled units.
	Delta float64 `yaml:"delta" json:"delta"`
}

// ClassWeight is a scheme by name, or explicit weights by label.
type ClassWeight struct {
	Scheme  string             // none, balanced, effective; Given where Weights is set
	Weights map[string]float64 // label to weight, each > 0
}

// OptimizerConfig is the update rule and its schedule.
type OptimizerConfig struct {
	Kind         string         `yaml:"kind" json:"kind"` // sgd, adam, adamw
	LearningRate float64        `yaml:"learning_rate" json:"learning_rate"`
	Momentum     float64        `yaml:"momentum" json:"momentum"`
	Beta1        float64        `yaml:"beta1" json:"beta1"`
	Beta2        float64        `yaml:"beta2" json:"beta2"`
	Epsilon      float64        `yaml:"epsilon" json:"epsilon"`
	WeightDecay  float64        `yaml:"weight_decay" json:"weight_decay"`
	ClipNorm     float64        `yaml:"clip_norm" json:"clip_norm"` // 0: no clipping
	Schedule     ScheduleConfig `yaml:"schedule" json:"schedule"`
}

// ScheduleConfig moves the learning rate over a trial.
type ScheduleConfig struct {
	Kind         string  `yaml:"kind" json:"kind"`                   // constant, cosine, step
	WarmupEpochs int     `yaml:"warmup_epochs" json:"warmup_epochs"` // linear from 0
	MinRate      float64 `yaml:"min_rate" json:"min_rate"`           // where cosine ends
	StepEpochs   int     `yaml:"step_epochs" json:"step_epochs"`     // step: every so many epochs ...
	Factor       float64 `yaml:"factor" json:"factor"`               // ... the rate is multiplied by this
}

// LoopConfig is the training loop.
type LoopConfig struct {
	Batch  int `yaml:"batch" json:"batch"`
	Epochs int `yaml:"epochs" json:"epochs"`
	// Stratified makes every batch hold at least one positive.
	Stratified bool            `yaml:"stratified" json:"stratified"`
	EarlyStop  EarlyStopConfig `yaml:"early_stop" json:"early_stop"`
	// CheckpointEpochs is how many epochs pass between checkpoints.
	CheckpointEpochs int `yaml:"checkpoint_epochs" json:"checkpoint_epochs"`
}

// EarlyStopConfig ends a trial that no longer improves and keeps its best epoch.
type EarlyStopConfig struct {
	// Metric is a name in metrics.jsonl, such as validation.average_precision
	// or validation.loss; empty means no early stop.
	Metric   string  `yaml:"metric" json:"metric"`
	Patience int     `yaml:"patience" json:"patience"`
	MinDelta float64 `yaml:"min_delta" json:"min_delta"`
}

// ThresholdConfig says how the alert threshold is chosen on validation rows.
// Exactly one rule is set.
type ThresholdConfig struct {
	// MaxFalsePositiveRate picks the lowest threshold whose validation
	// false-positive rate does not exceed it.
	MaxFalsePositiveRate float64 `yaml:"max_false_positive_rate" json:"max_false_positive_rate"`
	// Maximize picks the threshold with the best validation f1, f2 or mcc.
	Maximize string `yaml:"maximize" json:"maximize"`
}
