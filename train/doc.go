// Package train trains one trial: a DNN or an autoencoder on prepared flows,
// from its Config, its data and its seed to weights, metrics and a threshold.
package train
