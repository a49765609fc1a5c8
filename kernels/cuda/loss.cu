// kernels.Loss: a row's loss and gradient a thread, in float64; then the last block
// adds up the mean over the rows, in a fixed order.
#include "loss.cuh"

struct LossArgs {
	Control *control;
	Matrix pred, target, dpred; // target is the Table or an activation, for MSE and Huber
	double *rows;
	double *mean;
	int *arrived; // see lastBlock
	LossRule rule;
	int instruction, blocks;
};

enum { lossThreads = 128 };

// LossMemory is what the threads of a block share.
struct LossMemory {
	double part[lossThreads];
	int last;
};

__device__ __forceinline__ void meanLoss(const LossArgs &a, double *part) {
	int n = a.control->n;
	double sum = 0;
	for (int i = threadIdx.x; i < n; i += lossThreads) sum += a.rows[i];
	part[threadIdx.x] = sum;
	for (int half = lossThreads / 2; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
	}
	if (threadIdx.x > 0) return;
	double mean = part[0] / n;
	*a.mean = mean;
	if (!(fabs(mean) <= 1.7976931348623157e308)) a.control->sick = a.instruction + 1;
}

KERNEL(loss, LossArgs, lossThreads) {
	SHARED(LossMemory, memory);
	const Control &c = *a.control;
	int i = blockIdx.x * lossThreads + threadIdx.x, cols = a.pred.cols;
	if (skip(a.control, a.instruction)) return;
	if (i < c.n) {
		const float *pred = rowOf(a.pred, c, i);
		float *dz = a.dpred.data + (long long)i * cols;
		bool classes = a.rule.kind == bce || a.rule.kind == softmaxCE;
		int label = classes ? (int)c.targets[c.rows[i]] : 0;
		a.rows[i] = rowLoss(a.rule, dz, pred, label, classes ? nullptr : rowOf(a.target, c, i), c.n);
		for (int j = 0; j < cols; j++) check(a.control, a.instruction, dz[j]);
	}
	if (lastBlock(a.arrived, a.blocks, &memory->last)) meanLoss(a, memory->part);
}
