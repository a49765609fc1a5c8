// Package kernels defines what a backend runs: a Program, the short list of
// fused instructions over float32 buffers that training one network needs.
//
// A Program is made once (by train/graph.Lower) and compiled once by a backend
// into a Machine; after that a training step allocates nothing. Backends live
// in the folders below (cpu, later cuda) and must all pass kernels/kernelstest.
// The package imports nothing else of this module.
package kernels

// Buf names one buffer of a Program: an index into Program.Buffers.
type Buf int32

// None is the operand of an instruction that has no such operand.
const None Buf = -1

// Kind says what a buffer holds, who writes it, and how long it lives.
type Kind uint8

const (
	// Table is the bound feature matrix: row i of the batch is table row
	// Batch.TableRows[i]. Never written; it has no place in the arena.
	Table Kind = iota + 1
	// Target is the bound target column, indexed like Table: 0 or 1, or a class index.
	Target
	// Parameter is trained: read by Train and Score, written by Update.
	Parameter
	// Gradient holds the derivative of the loss in one Parameter.
	Gradient
	// Moment is optimiser state (momentum, Adam's first and second moment).
	Moment
	// Statistic is state that training writes and scoring reads (running mean and variance).
	Statistic
	// Activation lives within one step; its place may be shared with others (see Buffer.Offset).
	Activation
	// Constant is written by the host before the first step (feature weights of a loss).
	Constant
)

// Buffer describes one row-major float32 buffer.
type Buffer struct {
	Name string // "dense0.weight", "dense0.weight.grad", "dense0.output"; unique in a Program
	Kind Kind
	// Rows is the number of rows; for Table, Target and Activation buffers whose
	// PerSample is true it is Program.Batch and a step uses only the first
	// Batch.Len of them.
	Rows, Cols int
	PerSample  bool
	// Offset is the buffer's place in the arena, counted in float32 and a
	// multiple of 16 (one AVX-512 register); -1 for Table and Target. Two
	// Activation buffers share a place only where their lifetimes are disjoint.
	Offset int
}

// Len is the number of float32 in the buffer.
func (b Buffer) Len() int { return b.Rows * b.Cols }

// ActivationFunc is the function in the epilogue of a Dense or Norm.
type ActivationFunc uint8

const (
	Identity ActivationFunc = iota
	ReLU
	LeakyReLU // x where x > 0, 0.01·x elsewhere
	GELU      // the exact form x·Φ(x) = x/2·(1+erf(x/√2)), not the tanh approximation
	Tanh
	Sigmoid
)

// Epilogue is applied to each element as it leaves a Dense or a Norm:
// y = dropout(f(z)). In Score dropout is the identity.
type Epilogue struct {
	Activation ActivationFunc
	// DropRate p in [0, 1): an element is zeroed with probability p, else
	// divided by 1-p. The mask is Keep(seed, step, Stream, row·cols+col, p): a
	// function of its arguments alone, so that no thread or batch order matters.
	DropRate float32
	Stream   uint32 // one number a dropout site in the Program
}

// Instruction is one fused kernel. The set is closed: Corrupt, Dense,
// DenseGrad, Norm, NormGrad, Loss, ClipGradient, Update.
type Instruction interface{ instruction() }

// Corrupt makes the noisy input of a denoising autoencoder:
// Y = keep·(X + Sigma·ε), ε standard normal, keep 0 with probability MaskRate
// (nothing is rescaled). Noise is a function of (seed, step, Stream, element).
// In Score it copies X.
type Corrupt struct {
	X, Y     Buf
	Sigma    float32
	MaskRate float32
	Stream   uint32
}

// Dense is Y = epilogue(X·W + B). X is n×in (a Table: rows are gathered), W is
// in×out, B is 1×out or None. Z, where it is not None, keeps X·W + B for the
// gradient (GELU needs it, the others do not).
type Dense struct {
	X, W, B, Y, Z Buf
	Epilogue      Epilogue
}

// DenseGrad is the gradient of the Dense with the same X, W, Y, Z and Epilogue.
// DY (n×out) is the gradient in Y and is overwritten with the gradient in Z.
// DW = Xᵀ·DZ and DB = column sums of DZ; DX = DZ·Wᵀ. DB and DX may be None.
// Sums run over the rows in ascending order in fixed blocks, whatever the
// number of threads.
type DenseGrad struct {
	X, W, Y, Z     Buf
	DY, DX, DW, DB Buf
	Epilogue       Epilogue
}

// NormKind tells layer norm (a row at a time) from batch norm (a column at a time).
type NormKind uint8

const (
	LayerNorm NormKind = iota + 1 // Ba, Kiros, Hinton 2016
	BatchNorm                     // Ioffe, Szegedy 2015
)

// Norm is Y = epilogue(Gain·x̂ + Bias) with x̂ = (X-mean)/√(variance+Epsilon),
// the variance being the biased one. Gain and Bias are 1×cols. Hat keeps x̂
// (n×cols) and InvStd keeps 1/√(variance+Epsilon) (n×1 for LayerNorm, 1×cols
// for BatchNorm) for the gradient. Z keeps Gain·x̂+Bias where GELU needs it.
// BatchNorm in Train also moves RunMean and RunVar (1×cols):
// r = (1-Momentum)·r + Momentum·batch statistic, the variance being the
// unbiased one there (a batch of one row has none and leaves RunVar as it is);
// in Score it uses them in place of the batch's own.
type Norm struct {
	Kind            NormKind
	X, Gain, Bias   Buf
	Y, Z            Buf
	Hat, InvStd     Buf
	RunMean, RunVar Buf // None for LayerNorm
	Epsilon         float32
	Momentum        float32
	Epilogue        Epilogue
}

// NormGrad is the gradient of the Norm with the same operands. DY is
// overwritten with the gradient in Gain·x̂+Bias.
type NormGrad struct {
	Kind                 NormKind
	Gain, Y, Z           Buf
	Hat, InvStd          Buf
	DY, DX, DGain, DBias Buf
	Epilogue             Epilogue
}

// LossKind is the training objective.
type LossKind uint8

const (
	// BCE is binary cross-entropy on logits (n×1), stable for any logit:
	// w·(max(z,0) - z·y + log1p(exp(-|z|))), w = ClassWeight[y], y in {0, 1}.
	// Gamma > 0 makes it the focal loss w·(1-p_t)^Gamma·(-log p_t) of Lin et al. 2017.
	BCE LossKind = iota + 1
	// SoftmaxCE is cross-entropy over n×classes logits, target = class index,
	// w = ClassWeight[target]; Gamma > 0 makes it focal.
	SoftmaxCE
	// MSE is mean over the columns of FeatureWeight_j·(pred-target)².
	MSE
	// Huber is the same with ½d² for |d| <= Delta and Delta·(|d|-½Delta) beyond.
	Huber
)

// Loss computes the mean over the batch's n rows of the row loss, in float64 in
// row order, and its gradient in Pred. Target is the Target buffer for BCE and
// SoftmaxCE, the Table (gathered) or an Activation for MSE and Huber.
type Loss struct {
	Kind                LossKind
	Pred, Target, DPred Buf
	ClassWeight         []float32 // BCE: {negative, positive}; SoftmaxCE: one a class; nil means all ones
	FeatureWeight       Buf       // 1×cols Constant or None; MSE and Huber
	Gamma, Delta        float32
}

// ClipGradient scales every buffer of Grads by MaxNorm/norm where their joint
// Euclidean norm (float64, buffers in order) exceeds MaxNorm.
type ClipGradient struct {
	Grads   []Buf
	MaxNorm float32
}

// OptimizerKind is the update rule.
type OptimizerKind uint8

const (
	SGD   OptimizerKind = iota + 1 // v = Momentum·v + g; p -= lr·v (M1 is v; None when Momentum is 0); WeightDecay as Adam
	Adam                           // Kingma, Ba 2015; WeightDecay is added to the gradient (L2): g + WeightDecay·p
	AdamW                          // Loshchilov, Hutter 2019; p -= lr·WeightDecay·p apart from the gradient
)

// Update applies the optimiser to every parameter in one instruction.
// Decay[i] says whether WeightDecay applies to Params[i] (weights, not biases
// or norms). The bias corrections of Adam are computed in float64 from
// Batch.Step and rounded once.
type Update struct {
	Kind          OptimizerKind
	Params, Grads []Buf
	M1, M2        []Buf
	Decay         []bool
	Beta1, Beta2  float32
	Epsilon       float32
	Momentum      float32
	WeightDecay   float32
}

func (Corrupt) instruction()      {}
func (Dense) instruction()        {}
func (DenseGrad) instruction()    {}
func (Norm) instruction()         {}
func (NormGrad) instruction()     {}
func (Loss) instruction()         {}
func (ClipGradient) instruction() {}
func (Update) instruction()       {}

// Precision is what the operands of matrix products are rounded to; sums and all
// else are float32.
type Precision uint8

const (
	Float32  Precision = iota
	TF32               // 11 significant bits, float32's range
	BFloat16           // 8 significant bits, float32's range
)

// String is the precision's name in a spec.
func (p Precision) String() string {
	return [...]string{Float32: "fp32", TF32: "tf32", BFloat16: "bf16"}[p]
}

// Program is everything a backend needs to train and to score one network.
type Program struct {
	Buffers []Buffer
	// Batch is the largest number of rows of one step.
	Batch int
	// ArenaLen is the number of float32 that all placed buffers need.
	ArenaLen int
	// Train is one step: forward, loss, backward, clip, update.
	Train []Instruction
	// Score is the forward part alone; Output is what it leaves behind (n×cols:
	// logits, or the reconstruction of an autoencoder).
	Score  []Instruction
	Output Buf
	// Precision of its matrix products; a backend that lacks one refuses to compile.
	Precision Precision
}

// Data is the bound matrix. The caller owns it and may share it between Machines,
// which never write to it. A device keeps a copy of its own: the caller must not
// change the matrix while it is bound, but bind it again.
type Data struct {
	X          []float32 // Rows×Cols, row-major
	Rows, Cols int
	Y          []float32 // Rows targets; nil where only Predict is called or the loss needs none
}

// Batch is one step's input. Its rows are given as such, or as places of an Order:
// then whoever runs the step makes them, and a device needs nothing but the lists
// that the Order permutes, which it gets once.
type Batch struct {
	Rows         []int32 // table rows; nil where Order is set
	Order        *Order  // the rows at its places from First to First+Count
	First, Count int
	Step         uint64 // 1 for the first optimiser step of a trial
	Seed         uint64 // the trial's seed, for dropout and noise
	LearningRate float32
}

// Len is the number of b's rows: at least 1 and at most Program.Batch.
func (b Batch) Len() int {
	if b.Order != nil {
		return b.Count
	}
	return len(b.Rows)
}

// TableRows is b's rows, in room where an Order gives them, which must have Len places.
func (b Batch) TableRows(room []int32) []int32 {
	if b.Order == nil {
		return b.Rows
	}
	b.Order.Fill(room[:b.Count], b.First)
	return room[:b.Count]
}

// StepResult is what one training step reports.
type StepResult struct {
	Loss float64
	// NonFinite is the first buffer, in the order of the forward pass, then
	// gradients, then updated parameters, that holds a NaN or an infinity; None
	// where all is well. The loss itself non-finite with every buffer finite
	// reports the loss's Pred. What an instruction reads counts before what it
	// writes, so a NaN in the Table, or in a parameter that the host wrote, is
	// named itself; moments come last. The step may end where it went wrong:
	// Loss is NaN if it was not reached, and parameters keep their values if
	// Update was not.
	NonFinite Buf
}

// Machine is a compiled Program with its memory. It is not safe for concurrent
// use. Close frees its memory (device memory too) and makes every later call an error.
type Machine interface {
	// Bind sets the data that later calls read. Data.Cols must equal the Table's.
	Bind(Data) error
	// Train runs one step and updates the parameters.
	Train(Batch) (StepResult, error)
	// Predict runs Score over rows (any number, in chunks of Program.Batch) and
	// writes len(rows)×Output.Cols values to dst.
	Predict(rows []int32, dst []float32) error
	// Read copies a buffer to dst and Write copies src into it; lengths must equal Buffer.Len.
	Read(b Buf, dst []float32) error
	Write(b Buf, src []float32) error
	Close() error
}

// Sequencer is a Machine that runs many steps without coming back to the host
// between them.
type Sequencer interface {
	Machine
	// TrainAll runs the batches in order and writes what each reports to results,
	// which is as long. It stops at the first step that is not finite; the results
	// of the steps after it have a NaN loss and name nothing. The batches share a
	// seed.
	TrainAll(batches []Batch, results []StepResult) error
}

// Backend compiles Programs for one device.
type Backend interface {
	// Name is what a run records as the device that ran it, such as "cpu/plain".
	Name() string
	// Compile checks the Program (an instruction it lacks is an error that names
	// it) and allocates the arena, zeroed.
	Compile(*Program) (Machine, error)
}
