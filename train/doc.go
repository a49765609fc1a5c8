// Package train trains one trial: a DNN or an autoencoder on prepared flows,
// from its Config, its data and its seed to weights, metrics and a threshold. A
// trial can be stopped at any moment, by a signal, a fault or a power failure,
// and ends in the bytes that it would have ended in.
package train
