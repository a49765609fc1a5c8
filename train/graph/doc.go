// Package graph builds networks as gorgonia expression graphs and lowers them
// to kernels.Programs.
//
// Every op is a rule: a few lines of plain Go that compute in float64 and round
// once. gorgonia differentiates the graph by the rules' derivatives and its
// TapeMachine runs it; that slow, readable execution is the oracle that the
// compiled backends are held against. Lower reads the same graph back, fuses
// it, plans its memory and yields the Program that a backend runs.
//
// This is the only package that imports gorgonia and tensor.
package graph
