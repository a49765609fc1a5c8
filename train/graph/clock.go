package graph

// Clock is where an execution stands: what decides the random masks and noise
// beside the op itself. A graph has one, shared by its ops and owned by the
// Model, so that a TapeMachine and a compiled machine draw the same.
//
// Whoever trains sets Seed once and adds 1 to Step after every update
// (Model.Advance does).
type Clock struct {
	Seed uint64
	// Step is the number of the optimiser step under way, 1 for the first.
	Step uint64
	// Scoring is true where the graph is to be run as it will be used: dropout
	// and corruption are the identity, batch norm uses the running statistics.
	// A TapeMachine made with gorgonia.EvalMode sets it, any other clears it,
	// when it is made: set it after making machines.
	Scoring bool
}

// NewClock stands before the first step of a trial.
func NewClock(seed uint64) *Clock { return &Clock{Seed: seed, Step: 1} }
