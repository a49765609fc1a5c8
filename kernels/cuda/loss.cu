// kernels.Loss: a row's loss and gradient a thread, in float64; then the mean over
// the rows, summed in a fixed order.
#include "loss.cuh"

struct LossArgs {
	Control *control;
	Matrix pred, target, dpred; // target is the Table or an activation, for MSE and Huber
	double *rows;
	double *mean;
	LossRule rule;
	int instruction, reserved;
};

KERNEL(loss_rows, LossArgs, 128) {
	const Control &c = *a.control;
	int i = blockIdx.x * 128 + threadIdx.x, cols = a.pred.cols;
	if (skip(a.control, a.instruction) || i >= c.n) return;
	const float *pred = rowOf(a.pred, c, i);
	float *dz = a.dpred.data + (long long)i * cols;
	bool classes = a.rule.kind == bce || a.rule.kind == softmaxCE;
	int label = classes ? (int)c.targets[c.rows[i]] : 0;
	a.rows[i] = rowLoss(a.rule, dz, pred, label, classes ? nullptr : rowOf(a.target, c, i), c.n);
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
