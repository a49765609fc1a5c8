// The loss of one row and its gradient over n rows, in float64. The gradient may
// take the place of the prediction.
#pragma once
#include "common.cuh"

// LossRule is what kernels.Loss says beside its buffers.
struct LossRule {
	const float *classWeight, *featureWeight;
	int kind, cols;
	float gamma, delta;
};

enum { bce = 1, softmaxCE, mse, huber };

__device__ __forceinline__ double softplus(double x) { return fmax(x, 0.) + log1p(exp(-fabs(x))); }

// binary is the row loss on logit z. With s = ±z, q = σ(-s) and L = -log p_t it is
// w·qᵞ·L, and its derivative in s is -w·qᵞ·(γ·p_t·L + q).
__device__ __forceinline__ double binary(const LossRule &a, float *dz, double z, int label, int n) {
	double sign = label ? 1 : -1, s = sign * z, log = softplus(-s), q = 1 / (1 + exp(s));
	double w = a.classWeight ? a.classWeight[label] : 1., inner = q;
	if (a.gamma > 0) {
		w *= pow(q, (double)a.gamma);
		inner = a.gamma * (1 - q) * log + q;
	}
	dz[0] = (float)(-sign * w * inner / n);
	return w * log;
}

// categorical is the row loss on logits z: w·qᵞ·L with L = -log p_t and q = 1-p_t,
// the other classes being summed apart from the true one.
__device__ __forceinline__ double categorical(const LossRule &a, float *dz, const float *z, int label, int n) {
	int classes = a.cols;
	double top = z[0], others = 0;
	for (int j = 1; j < classes; j++) top = fmax(top, (double)z[j]);
	for (int j = 0; j < classes; j++) {
		if (j != label) others += exp(z[j] - top);
	}
	double behind = top - z[label], own = exp(-behind), q = others / (own + others), p = own / (own + others);
	double log_ = behind == 0 ? log1p(others) : behind + log(own + others);
	double w = a.classWeight ? a.classWeight[label] : 1., value = w * log_, slope = w;
	if (a.gamma > 0) {
		double power = pow(q, (double)a.gamma);
		value *= power, slope *= power;
		if (q > 0) slope += w * a.gamma * power / q * p * log_;
	}
	for (int j = 0; j < classes; j++) {
		double d = j == label ? -q : exp(z[j] - top) / (own + others);
		dz[j] = (float)(slope * d / n);
	}
	return value;
}

// Deviation is what one element adds to the loss of its row, and its derivative.
struct Deviation {
	double value, slope;
};

__device__ __forceinline__ Deviation deviation(const LossRule &a, int j, float pred, float target) {
	double d = (double)pred - target, w = a.featureWeight ? a.featureWeight[j] : 1.;
	if (a.kind == mse) return {w * d * d, w * (2 * d)};
	if (fabs(d) > a.delta) return {w * a.delta * (fabs(d) - 0.5 * a.delta), w * copysign((double)a.delta, d)};
	return {w * d * d / 2, w * d};
}

__device__ __forceinline__ double regression(const LossRule &a, float *dz, const float *pred, const float *target, int n) {
	int cols = a.cols;
	double sum = 0;
	for (int j = 0; j < cols; j++) {
		Deviation e = deviation(a, j, pred[j], target[j]);
		sum += e.value;
		dz[j] = (float)(e.slope / ((double)cols * n));
	}
	return sum / cols;
}

// rowLoss is the loss of a row of logits or reconstructions; label is read by the
// losses of classes, target by the others.
__device__ __forceinline__ double rowLoss(const LossRule &a, float *dz, const float *pred, int label, const float *target, int n) {
	switch (a.kind) {
	case bce: return binary(a, dz, pred[0], label, n);
	case softmaxCE: return categorical(a, dz, pred, label, n);
	}
	return regression(a, dz, pred, target, n);
}
