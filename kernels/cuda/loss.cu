// kernels.Loss in float64: the loss and gradient of a row of classes a thread, of a
// wider row a warp; then the last block adds up the mean over the rows, in a fixed order.
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

enum { lossThreads = 128, wideRows = 8 }; // wideRows: of a block of warps

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

__device__ __forceinline__ void classRow(const LossArgs &a, int i) {
	const Control &c = *a.control;
	int cols = a.pred.cols;
	float *dz = a.dpred.data + (long long)i * cols;
	a.rows[i] = classLoss(a.rule, dz, rowOf(a.pred, c, i), (int)c.targets[c.rows[i]], c.n);
	for (int j = 0; j < cols; j++) check(a.control, a.instruction, dz[j]);
}

__device__ __forceinline__ void wideRow(const LossArgs &a, int i) {
	const Control &c = *a.control;
	int cols = a.pred.cols, lane = threadIdx.x % 32;
	const float *pred = rowOf(a.pred, c, i), *target = rowOf(a.target, c, i);
	float *dz = a.dpred.data + (long long)i * cols;
	double sum = 0;
	for (int j = lane; j < cols; j += 32) {
		Deviation d = deviation(a.rule, j, pred[j], target[j]);
		sum += d.value;
		dz[j] = (float)(d.slope / ((double)cols * c.n));
		check(a.control, a.instruction, dz[j]);
	}
	sum = warpSum(sum);
	if (lane == 0) a.rows[i] = sum / cols;
}

KERNEL(loss, LossArgs, lossThreads) {
	SHARED(LossMemory, memory);
	int n = a.control->n;
	if (skip(a.control, a.instruction)) return;
	if (a.rule.kind == bce || a.rule.kind == softmaxCE) {
		int i = blockIdx.x * lossThreads + threadIdx.x;
		if (i < n) classRow(a, i);
	} else {
		int first = blockIdx.x * wideRows, end = min(first + wideRows, n);
		for (int i = first + threadIdx.x / 32; i < end; i += lossThreads / 32) wideRow(a, i);
	}
	if (lastBlock(a.arrived, a.blocks, &memory->last)) meanLoss(a, memory->part);
}
