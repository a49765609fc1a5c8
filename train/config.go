package train

// Config is everything that decides the outcome of one trial besides its data:
// two trials with equal Config, data, seed and backend have equal weights to
// the bit. The yaml names are the keys of a spec.
type Config struct {
	Model     ModelConfig     `yaml:"model" json:"model"`
	Fit       FitConfig       `yaml:"fit" json:"fit"`
	Loss      LossConfig      `yaml:"loss" json:"loss"`
	Optimizer OptimizerConfig `yaml:"optimizer" json:"optimizer"`
	Train     LoopConfig      `yaml:"train" json:"train"`
	Threshold ThresholdConfig `yaml:"threshold" json:"threshold"`
}

// ModelConfig says what is trained.
type ModelConfig struct {
	// Kind is one of Networks or of Detectors; a study also makes trials of the
	// Baselines, which read nothing else of the model.
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
	// mean of those logarithms' squares). A PCA has "reconstruction" and
	// "mahalanobis", K-Means "distance" and "spread", nearest neighbours "distance"
	// and "residual"; see train/detect.
	Score string `yaml:"score" json:"score"`

	// What follows is of detectors alone; train/detect says what each means.

	// PCA is how many principal components of the columns the detector sees in
	// their place; 0 leaves it the columns. Whiten gives each the variance 1.
	PCA    int  `yaml:"pca" json:"pca"`
	Whiten bool `yaml:"whiten" json:"whiten"`
	// Components is how many a PCA keeps, or a mixture has. Variance is the share
	// that a PCA keeps where Components is 0.
	Components int     `yaml:"components" json:"components"`
	Variance   float64 `yaml:"variance" json:"variance"`
	// Clusters is the centroids of K-Means, Start how it chooses the first, and
	// MiniBatch the rows of a step where it does not go over all.
	Clusters  int    `yaml:"clusters" json:"clusters"`
	Start     string `yaml:"start" json:"start"`
	MiniBatch int    `yaml:"mini_batch" json:"mini_batch"`
	// Silhouette is how many rows K-Means takes its silhouette of; 0 is none.
	Silhouette int `yaml:"silhouette" json:"silhouette"`
	// Covariance is the kind that a mixture's components have, Floor what is added
	// to each of their variances.
	Covariance string  `yaml:"covariance" json:"covariance"`
	Floor      float64 `yaml:"floor" json:"floor"`
	// Iterations, Tolerance and Restarts are those of K-Means and of a mixture.
	Iterations int     `yaml:"iterations" json:"iterations"`
	Tolerance  float64 `yaml:"tolerance" json:"tolerance"`
	Restarts   int     `yaml:"restarts" json:"restarts"`
	// Eps is the radius of DBSCAN; 0 takes the knee of the k-distance curve.
	// MinPoints is the rows that make a core.
	Eps       float64 `yaml:"eps" json:"eps"`
	MinPoints int     `yaml:"min_points" json:"min_points"`
	// Neighbours is which of the nearest training rows counts.
	Neighbours int `yaml:"neighbours" json:"neighbours"`
	// Trees are those of an isolation forest, Samples the rows of each.
	Trees   int `yaml:"trees" json:"trees"`
	Samples int `yaml:"samples" json:"samples"`
}

// FitConfig is what a detector is fitted on.
type FitConfig struct {
	// MaxRows is the most training rows that a detector sees, drawn with the
	// trial's seed; 0 is all.
	MaxRows int `yaml:"max_rows" json:"max_rows"`
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
	// Precision of the matrix products: fp32, or, on a GPU, tf32 or bf16.
	Precision string `yaml:"precision" json:"precision"`
	// Stratified makes every batch hold at least one positive.
	Stratified bool            `yaml:"stratified" json:"stratified"`
	EarlyStop  EarlyStopConfig `yaml:"early_stop" json:"early_stop"`
	// CheckpointEpochs is how many epochs pass between checkpoints.
	CheckpointEpochs int `yaml:"checkpoint_epochs" json:"checkpoint_epochs"`
	// CheckpointMinutes is how long training or a fit goes on without a checkpoint;
	// 0 is for ever. JSON, which names what decides an outcome, leaves it out.
	CheckpointMinutes float64 `yaml:"checkpoint_minutes" json:"-"`
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
