// kernels.Loss: a row's loss and gradient a thread, in float64; then the mean over
// the rows, summed in a fixed order.
#include "common.cuh"

struct LossArgs {
	Control *control;
	Matrix pred, target, dpred; // target is the Table or an activation, for MSE and Huber
	const float *classWeight, *featureWeight;
	double *rows;
	double *mean;
	int kind;
	float gamma, delta;
	int instruction;
};

enum { bce = 1, softmaxCE, mse, huber };

__device__ __forceinline__ double softplus(double x) { return fmax(x, 0.) + log1p(exp(-fabs(x))); }

// binary is the row loss on logit z. With s = ±z, q = σ(-s) and L = -log p_t it is
// w·qᵞ·L, and its derivative in s is -w·qᵞ·(γ·p_t·L + q).
__device__ __forceinline__ double binary(const LossArgs &a, float *dz, double z, int label, int n) {
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
__device__ __forceinline__ double categorical(const LossArgs &a, float *dz, const float *z, int label, int n) {
	int classes = a.pred.cols;
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

__device__ __forceinline__ double regression(const LossArgs &a, float *dz, const float *pred, const float *target, int n) {
	int cols = a.pred.cols;
	double sum = 0;
	for (int j = 0; j < cols; j++) {
		double d = (double)pred[j] - target[j], w = a.featureWeight ? a.featureWeight[j] : 1., slope = 2 * d;
		if (a.kind == mse) {
			sum += w * d * d;
		} else if (fabs(d) > a.delta) {
			slope = copysign((double)a.delta, d);
			sum += w * a.delta * (fabs(d) - 0.5 * a.delta);
		} else {
			slope = d;
			sum += w * d * d / 2;
		}
		dz[j] = (float)(w * slope / ((double)cols * n));
	}
	return sum / cols;
}

KERNEL(loss_rows, LossArgs, 128) {
	const Control &c = *a.control;
	int i = blockIdx.x * 128 + threadIdx.x, cols = a.pred.cols;
	if (skip(a.control, a.instruction) || i >= c.n) return;
	const float *pred = rowOf(a.pred, c, i);
	float *dz = a.dpred.data + (long long)i * cols;
	double value;
	switch (a.kind) {
	case bce: value = binary(a, dz, pred[0], (int)c.targets[c.rows[i]], c.n); break;
	case softmaxCE: value = categorical(a, dz, pred, (int)c.targets[c.rows[i]], c.n); break;
	default: value = regression(a, dz, pred, rowOf(a.target, c, i), c.n);
	}
	a.rows[i] = value;
	for (int j = 0; j < cols; j++) check(a.control, a.instruction, dz[j]);
}

KERNEL(loss_mean, LossArgs, 256) {
	SHARED(double, part);
	const Control &c = *a.control;
	if (skip(a.control, a.instruction)) return;
	double sum = 0;
	for (int i = threadIdx.x; i < c.n; i += 256) sum += a.rows[i];
	part[threadIdx.x] = sum;
	for (int half = 128; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
	}
	if (threadIdx.x == 0) {
		double mean = part[0] / c.n;
		*a.mean = mean;
		if (!(fabs(mean) <= 1.7976931348623157e308)) a.control->sick = a.instruction + 1;
	}
}
