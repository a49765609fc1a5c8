// The ends of a fleet's network, for a tile of samples: its rows become the input, and
// its outputs a loss.
#pragma once
#include "fleet_layer.cuh"

// fetch begins to copy rows of the Table, a warp a row, to a place in shared memory,
// and their targets. All addresses are asked for before the first row is.
__device__ __forceinline__ void fetch(const Block &b, int place, const int *rows, int count) {
	const FleetTrial &t = b.t;
	int warp = threadIdx.x / 32, lane = threadIdx.x % 32, row[mostTile / fleetWarps];
	UNROLL for (int r = 0; r < mostTile / fleetWarps; r++) row[r] = rows[min(warp + r * fleetWarps, count - 1)];
	UNROLL for (int r = 0; r < mostTile / fleetWarps; r++) {
		int i = warp + r * fleetWarps;
		if (i >= count) break;
		const float *from = t.x + (long long)row[r] * t.inputs;
		float *to = b.shared + place + i * t.inputPitch;
		ROLLED for (int j = lane; j < t.inputs; j += 32) copyAsync<4>(to + j, from + j);
		if (lane == 0 && b.c.training && t.sharedLabels >= 0) copyAsync<4>(b.shared + t.sharedLabels + i, t.targets + row[r]);
	}
	copyCommit();
}

// rowsOf is where the batch of a step is or is to be drawn to.
__device__ __forceinline__ const int *rowsOf(const FleetTrial &t, int s) {
	return t.steps[s].order < 0 ? t.rows + t.steps[s].first : t.drawn[s % 2];
}

// draw makes the batch of a step where an order gives it; a barrier must follow.
__device__ __forceinline__ void draw(const FleetTrial &t, int s) {
	const FleetStep &step = t.steps[s];
	if (step.order >= 0) drawRows(t.orders[step.order], step.first, step.n, t.drawn[s % 2], threadIdx.x, fleetThreads);
}

// corrupted is element j of a sample's input, with noise.
__device__ __forceinline__ float corrupted(const Block &b, Draws &noise, Draws &mask, float v, wide element) {
	const FleetTrial &t = b.t;
	if (t.sigma > 0) v += __fmul_rn(t.sigma, normal(noise, b.c, t.stream, element));
	if (t.maskRate > 0 && !keep(mask, b.c, t.stream, element, t.maskRate)) v = 0;
	return v;
}

// corruptInput adds noise to the tile's input, to fours of neighbours in the batch,
// which share one block of random words, and remembers what it was.
__device__ __forceinline__ void corruptInput(Block &b, const float *come) {
	const FleetTrial &t = b.t;
	int count = b.rows * t.inputs;
	bool noisy = t.noisy && b.c.training, fine = true;
	ROLLED for (int e0 = 4 * threadIdx.x; e0 < count; e0 += 4 * fleetThreads) {
		int i = e0 / t.inputs, j = e0 % t.inputs;
		Draws noise = {}, mask = {};
		ROLLED for (int e = e0; e < min(e0 + 4, count); e++) {
			int at = i * t.inputPitch + j;
			float v = come[at];
			if (t.sharedClean >= 0) b.shared[t.sharedClean + at] = v;
			wide element = (wide)b.first * t.inputs + e;
			if (noisy) v = corrupted(b, noise, mask, v, element);
			if (noisy && t.keep) t.arena[t.corruptY + element] = v;
			fine = fine && (!noisy || isFinite(v));
			b.shared[t.sharedInput + at] = v;
			if (++j == t.inputs) j = 0, i++;
		}
	}
	note(b, t.corruptInstruction, fine);
}

// gather waits for the tile's rows of the Table, makes them the input and adds noise.
__device__ __forceinline__ void gather(Block &b) {
	const FleetTrial &t = b.t;
	float *input = b.shared + t.sharedInput;
	const float *come = b.fetched ? b.shared + t.sharedNext : input;
	if (!b.fetched) fetch(b, t.sharedInput, b.c.rows + b.first, b.rows);
	copyWait<0>();
	__syncthreads();
	if (t.noisy || t.sharedClean >= 0) {
		corruptInput(b, come);
	} else if (come != input) {
		for (int e = 4 * threadIdx.x; e < b.rows * t.inputPitch; e += 4 * fleetThreads) {
			float v[4];
			load4(v, come + e);
			store4(input + e, v);
		}
	}
	__syncthreads();
}

// regressionRows is lossRows of MSE and Huber: the first threads have a row each, whose
// loss is a sum in the order of its columns, the others share out the gradients.
__device__ __forceinline__ void regressionRows(Block &b, double *part) {
	const FleetTrial &t = b.t;
	const FleetLayer l = t.layer[t.layers - 1];
	const LossRule rule = t.loss;
	const float *clean = b.shared + (t.sharedClean >= 0 ? t.sharedClean : t.sharedInput), *y = b.shared + l.sharedY;
	float *d = b.shared + t.sharedLoss;
	int pitch = t.inputPitch, thread = threadIdx.x;
	if (thread < mostTile) {
		if (thread >= b.rows) return;
		double sum = 0;
		for (int j = 0; j < l.out; j++) sum += deviation(rule, j, y[thread * l.pitch + j], clean[thread * pitch + j]).value;
		part[thread] = sum / l.out;
		return;
	}
	bool fine = true;
	for (int e = thread - mostTile; e < b.rows * l.out; e += fleetThreads - mostTile) {
		int i = e / l.out, j = e % l.out, at = i * l.pitch + j;
		d[at] = (float)(deviation(rule, j, y[at], clean[i * pitch + j]).slope / ((double)l.out * b.c.n));
		fine &= isFinite(d[at]);
	}
	note(b, t.lossInstruction, fine);
}

// classRows is lossRows of the losses of classes, a row a thread.
__device__ __forceinline__ void classRows(Block &b, double *part) {
	const FleetTrial &t = b.t;
	const FleetLayer l = t.layer[t.layers - 1];
	for (int i = threadIdx.x; i < b.rows; i += fleetThreads) {
		int label = (int)b.shared[t.sharedLabels + i];
		float *d = b.shared + t.sharedLoss + i * l.pitch;
		part[i] = classLoss(t.loss, d, b.shared + l.sharedY + i * l.pitch, label, b.c.n);
		bool fine = true;
		for (int j = 0; j < l.out; j++) fine = fine && isFinite(d[j]);
		note(b, t.lossInstruction, fine);
	}
}

// lossRows leaves the gradient in the prediction at sharedLoss and the rows' losses in
// part.
__device__ __forceinline__ void lossRows(Block &b, double *part) {
	if (b.t.loss.kind == mse || b.t.loss.kind == huber) {
		regressionRows(b, part);
	} else {
		classRows(b, part);
	}
	__syncthreads();
}

// tileLoss is the sum of the rows' losses, in their order, in lossThread: one that has
// little else to do on the way back through a narrow last layer.
__device__ __forceinline__ double tileLoss(const Block &b, const double *part) {
	double sum = 0;
	if (threadIdx.x == lossThread) {
		for (int i = 0; i < b.rows; i++) sum += part[i];
	}
	return sum;
}
