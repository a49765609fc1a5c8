// Trials of one shape side by side, one a block: a block keeps the weights of its
// network in shared memory, takes a tile of samples at a time through the whole
// network and back, and runs many steps in one launch. Which trials run beside it
// makes no difference to a trial.
#include "loss.cuh"
#include "order.cuh"
#include "update.cuh"

enum { fleetThreads = 256, mostLayers = 8, nothingSick = 0x7FFFFFFF };

// FleetStep is one step of a trial. Its batch of n is from first on in FleetTrial.rows,
// or, where order is not negative, at the places of one of FleetTrial.orders.
struct FleetStep {
	wide step;
	int first, n;
	float rate, corrected, correction;
	int order;
};

// FleetLayer is one kernels.Dense with its gradient. Offsets called shared count
// float32 in the block's memory, the others in the trial's arena; -1 is none.
struct FleetLayer {
	int in, out, stride; // of a row of the weights in shared memory, odd: no two rows start in one bank
	int sharedW, sharedB, sharedY, sharedZ;
	int w, b, dw, db, y, z, dy;
	int m1w, m2w, m1b, m2b;
	int forward, backward; // instructions
	float decayW, decayB;
	Epilogue epilogue;
};

struct FleetTrial {
	const float *x, *targets; // the Table and the Target column
	float *arena;
	float *grads; // where they do not fit into shared memory, else null
	const int *rows;
	int *drawn[2]; // room for the batches that an order gives, of even and of odd steps
	const Order *orders;
	const FleetStep *steps;
	StepResult *results;
	float *output; // of scoring: a row's outputs for each of rows
	LossRule loss;
	wide seed;
	int count; // steps; of scoring, rows
	int tile;  // samples at a time
	int layers, inputs, params;
	int sharedInput, sharedClean, sharedLoss, sharedEnd; // clean: the input before noise; loss: d(prediction)
	int sharedNext; // the next tile's rows while the first layer's gradient is computed; -1: there is no room
	int keep;                                            // leave activations and gradients in the arena
	int noisy, corruptY, corruptInstruction, lossInstruction, clipInstruction, updateInstruction;
	float sigma, maskRate;
	word stream;
	float maxNorm; // 0: no clipping
	UpdateRule rule;
	FleetLayer layer[mostLayers];
};

struct FleetArgs {
	const FleetTrial *trials;
	int parts; // of scoring: blocks a trial
	int reserved;
};

// Block is what the threads of a block work on.
struct Block {
	const FleetTrial &t;
	Control c;
	float *shared, *grads;
	int *sick;
	int first, rows; // the tile
	bool fetched;    // the tile's rows are on their way to sharedNext
};

__device__ __forceinline__ void note(Block &b, int instruction, float v) {
	if (!(fabsf(v) <= 3.402823466e38f)) atomicMin(b.sick, instruction);
}

// product gives each(i, j, Σ left(i, k)·right(k, j)) for all i and j, terms in
// ascending order. A thread takes 4×4 elements at a time, its columns apart, so
// that neighbours read neighbours.
template <class Each>
__device__ __forceinline__ void product(int rows, int cols, int depth, const float *left, int leftRow, int leftTerm,
	const float *right, int rightTerm, int rightCol, Each each) {
	int down = (rows + 3) / 4, across = (cols + 3) / 4;
	for (int part = threadIdx.x; part < down * across; part += fleetThreads) {
		int i0 = part / across * 4, j0 = part % across;
		const float *a[4], *b[4];
		float sum[4][4] = {};
		UNROLL for (int r = 0; r < 4; r++) {
			a[r] = left + min(i0 + r, rows - 1) * leftRow;
			b[r] = right + min(j0 + r * across, cols - 1) * rightCol;
		}
		for (int k = 0; k < depth; k++) {
			float x[4], y[4];
			UNROLL for (int r = 0; r < 4; r++) x[r] = a[r][k * leftTerm], y[r] = b[r][k * rightTerm];
			UNROLL for (int r = 0; r < 4; r++) {
				UNROLL for (int q = 0; q < 4; q++) sum[r][q] = fmaf(x[r], y[q], sum[r][q]);
			}
		}
		UNROLL for (int r = 0; r < 4; r++) {
			UNROLL for (int q = 0; q < 4; q++) {
				if (i0 + r < rows && j0 + q * across < cols) each(i0 + r, j0 + q * across, sum[r][q]);
			}
		}
	}
}

// fetch begins to copy rows of the Table to a place in shared memory.
__device__ __forceinline__ void fetch(const Block &b, int place, const int *rows, int count) {
	const FleetTrial &t = b.t;
	for (int e = threadIdx.x; e < count * t.inputs; e += fleetThreads) {
		copyAsync<4>(b.shared + place + e, t.x + (long long)rows[e / t.inputs] * t.inputs + e % t.inputs);
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

// fetchNext begins to copy the rows of the tile that follows in the batch of step s,
// or else of the first tile of the batch that follows, which it draws. Nothing but
// the first layer's gradient may be left to compute of this tile.
__device__ __forceinline__ void fetchNext(Block &b, int s) {
	const FleetTrial &t = b.t;
	int first = b.first + t.tile;
	bool sameStep = first < b.c.n;
	b.fetched = t.sharedNext >= 0 && (sameStep || s + 1 < t.count);
	if (!b.fetched) return;
	if (!sameStep) {
		draw(t, s + 1);
		__syncthreads();
	}
	const int *rows = sameStep ? b.c.rows + first : rowsOf(t, s + 1);
	fetch(b, t.sharedNext, rows, min(t.tile, sameStep ? b.c.n - first : t.steps[s + 1].n));
}

// gather waits for the tile's rows of the Table, makes them the input and adds noise.
__device__ __forceinline__ void gather(Block &b) {
	const FleetTrial &t = b.t;
	float *input = b.shared + t.sharedInput;
	const float *come = b.fetched ? b.shared + t.sharedNext : input;
	if (!b.fetched) fetch(b, t.sharedInput, b.c.rows + b.first, b.rows);
	copyWait<0>();
	__syncthreads();
	for (int e = threadIdx.x; e < b.rows * t.inputs; e += fleetThreads) {
		float v = come[e];
		if (t.sharedClean >= 0) b.shared[t.sharedClean + e] = v;
		if (t.noisy && b.c.training) {
			wide element = (wide)b.first * t.inputs + e;
			Draws noise = {}, mask = {};
			if (t.sigma > 0) v += __fmul_rn(t.sigma, normal(noise, b.c, t.stream, element));
			if (t.maskRate > 0 && !keep(mask, b.c, t.stream, element, t.maskRate)) v = 0;
			note(b, t.corruptInstruction, v);
			if (t.keep) t.arena[t.corruptY + element] = v;
		}
		input[e] = v;
	}
	__syncthreads();
}

__device__ __forceinline__ const float *inputOf(const Block &b, int layer) {
	return b.shared + (layer ? b.t.layer[layer - 1].sharedY : b.t.sharedInput);
}

__device__ __forceinline__ void forwardLayer(Block &b, int index) {
	const FleetLayer &l = b.t.layer[index];
	Draws draws = {};
	product(b.rows, l.out, l.in, inputOf(b, index), l.in, 1, b.shared + l.sharedW, l.stride, 1, [&](int i, int j, float z) {
		int e = i * l.out + j;
		wide element = (wide)(b.first + i) * l.out + j;
		if (l.sharedB >= 0) z += b.shared[l.sharedB + j];
		float y = forward(l.epilogue, b.c, draws, z, element);
		if (l.sharedZ >= 0) b.shared[l.sharedZ + e] = z;
		b.shared[l.sharedY + e] = y;
		note(b, l.forward, z);
		note(b, l.forward, y);
		if (b.t.keep) {
			if (l.z >= 0) b.t.arena[l.z + element] = z;
			b.t.arena[l.y + element] = y;
		}
	});
	__syncthreads();
}

// lossRows leaves the gradient in the prediction at sharedLoss and returns the
// tile's loss, added up in the order of its rows, in thread 0.
__device__ __forceinline__ double lossRows(Block &b, double *part) {
	const FleetTrial &t = b.t;
	const FleetLayer &last = t.layer[t.layers - 1];
	for (int i = threadIdx.x; i < b.rows; i += fleetThreads) {
		bool classes = t.loss.kind == bce || t.loss.kind == softmaxCE;
		int label = classes ? (int)t.targets[b.c.rows[b.first + i]] : 0;
		const float *clean = b.shared + (t.sharedClean >= 0 ? t.sharedClean : t.sharedInput) + i * t.inputs;
		float *d = b.shared + t.sharedLoss + i * last.out;
		part[i] = rowLoss(t.loss, d, b.shared + last.sharedY + i * last.out, label, clean, b.c.n);
		for (int j = 0; j < last.out; j++) note(b, t.lossInstruction, d[j]);
	}
	__syncthreads();
	double sum = 0;
	if (threadIdx.x == 0) {
		for (int i = 0; i < b.rows; i++) sum += part[i];
	}
	return sum;
}

// setGradient puts dz where y was: y is read for the last time.
__device__ __forceinline__ void setGradient(Block &b, int index, int i, int j, float dy, Draws &draws) {
	const FleetLayer &l = b.t.layer[index];
	int e = i * l.out + j;
	wide element = (wide)(b.first + i) * l.out + j;
	float z = l.sharedZ >= 0 ? b.shared[l.sharedZ + e] : 0;
	float dz = backward(l.epilogue, b.c, draws, dy, b.shared[l.sharedY + e], z, element);
	b.shared[l.sharedY + e] = dz;
	note(b, l.backward, dz);
	if (b.t.keep) b.t.arena[l.dy + element] = dz;
}

// backwardLayer adds to the gradients of a layer whose dz is known and hands its
// input's gradient down.
__device__ __forceinline__ void backwardLayer(Block &b, int index) {
	const FleetLayer &l = b.t.layer[index];
	const float *dz = b.shared + l.sharedY;
	product(l.in, l.out, b.rows, inputOf(b, index), 1, l.in, dz, l.out, 1,
		[&](int k, int j, float sum) { b.grads[l.sharedW + k * l.stride + j] += sum; });
	if (l.sharedB >= 0) {
		for (int j = threadIdx.x; j < l.out; j += fleetThreads) {
			float sum = 0;
			for (int i = 0; i < b.rows; i++) sum += dz[i * l.out + j];
			b.grads[l.sharedB + j] += sum;
		}
	}
	__syncthreads();
	if (index == 0) return;
	Draws draws = {};
	product(b.rows, l.in, l.out, dz, l.out, 1, b.shared + l.sharedW, 1, l.stride, [&](int i, int j, float dy) {
		note(b, l.backward, dy);
		setGradient(b, index - 1, i, j, dy, draws);
	});
	__syncthreads();
}

// place is an element of a buffer at offset, or -1 where there is no such buffer.
__device__ __forceinline__ int place(int offset, int e) { return offset < 0 ? -1 : offset + e; }

// eachParameter calls each(layer, offset of the parameter, of its gradient and of
// its moments, place in shared memory, decay) for every parameter.
template <class Each>
__device__ __forceinline__ void eachParameter(const FleetTrial &t, Each each) {
	for (int index = 0; index < t.layers; index++) {
		const FleetLayer &l = t.layer[index];
		for (int e = threadIdx.x; e < l.in * l.out; e += fleetThreads) {
			each(l, l.w + e, l.dw + e, place(l.m1w, e), place(l.m2w, e), l.sharedW + e / l.out * l.stride + e % l.out, l.decayW);
		}
		for (int e = threadIdx.x; l.sharedB >= 0 && e < l.out; e += fleetThreads) {
			each(l, l.b + e, l.db + e, place(l.m1b, e), place(l.m2b, e), l.sharedB + e, l.decayB);
		}
	}
}

// clip scales the gradients to maxNorm; the sum of squares has a fixed order.
__device__ __forceinline__ void clip(Block &b, double *part) {
	double sum = 0;
	eachParameter(b.t, [&](const FleetLayer &, int, int, int, int, int at, float) { sum += (double)b.grads[at] * b.grads[at]; });
	part[threadIdx.x] = sum;
	for (int half = fleetThreads / 2; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
	}
	__syncthreads();
	double norm = sqrt(part[0]);
	if (norm > b.t.maxNorm) {
		float scale = (float)(b.t.maxNorm / norm);
		eachParameter(b.t, [&](const FleetLayer &, int, int, int, int, int at, float) { b.grads[at] *= scale; });
	}
	__syncthreads();
}

__device__ __forceinline__ void update(Block &b) {
	const FleetTrial &t = b.t;
	eachParameter(t, [&](const FleetLayer &, int, int, int m1, int m2, int at, float decay) {
		float *first = m1 >= 0 ? t.arena + m1 : nullptr, *second = m2 >= 0 ? t.arena + m2 : nullptr;
		float p = updated(t.rule, b.c, b.shared[at], b.grads[at], decay, first, second);
		b.shared[at] = p;
		note(b, t.updateInstruction, p);
		if (first) note(b, t.updateInstruction, *first);
		if (second) note(b, t.updateInstruction, *second);
	});
	__syncthreads();
}

// forwardAndLoss takes the tile through the network, leaves the last layer's dz where
// its output was, and returns the tile's loss in thread 0.
__device__ __forceinline__ double forwardAndLoss(Block &b, double *part) {
	const FleetTrial &t = b.t;
	gather(b);
	for (int l = 0; l < t.layers; l++) forwardLayer(b, l);
	double loss = lossRows(b, part);
	const FleetLayer &last = t.layer[t.layers - 1];
	Draws draws = {};
	for (int e = threadIdx.x; e < b.rows * last.out; e += fleetThreads) {
		setGradient(b, t.layers - 1, e / last.out, e % last.out, b.shared[t.sharedLoss + e], draws);
	}
	__syncthreads();
	return loss;
}

// gradients takes the step's batch through the network, a tile at a time, and
// returns the sum of the rows' losses in thread 0.
__device__ __forceinline__ double gradients(Block &b, double *part, int s) {
	const FleetTrial &t = b.t;
	for (int e = threadIdx.x; e < t.params; e += fleetThreads) b.grads[e] = 0;
	__syncthreads();
	double loss = 0;
	for (b.first = 0; b.first < b.c.n; b.first += t.tile) {
		b.rows = min(t.tile, b.c.n - b.first);
		loss += forwardAndLoss(b, part);
		for (int l = t.layers - 1; l >= 0; l--) {
			if (l == 0) fetchNext(b, s);
			backwardLayer(b, l);
		}
	}
	eachParameter(t, [&](const FleetLayer &l, int, int dw, int, int, int at, float) {
		note(b, l.backward, b.grads[at]);
		if (t.keep) t.arena[dw] = b.grads[at];
	});
	__syncthreads();
	return loss;
}

KERNEL(fleet, FleetArgs, fleetThreads) {
	SHARED(float, memory);
	const FleetTrial &t = a.trials[blockIdx.x];
	Block b = {t, {}, memory, t.grads ? t.grads : memory + t.params, nullptr, 0, 0, false};
	double *part = reinterpret_cast<double *>(memory + t.sharedEnd);
	b.sick = reinterpret_cast<int *>(part + fleetThreads);
	eachParameter(t, [&](const FleetLayer &, int p, int, int, int, int at, float) { memory[at] = t.arena[p]; });
	for (int s = 0; s < t.count; s++) {
		const FleetStep &step = t.steps[s];
		b.c.seed = t.seed, b.c.step = step.step, b.c.n = step.n, b.c.training = 1;
		b.c.rows = rowsOf(t, s);
		if (!b.fetched) draw(t, s); // all threads meet in gradients before they read it
		b.c.rate = step.rate, b.c.corrected = step.corrected, b.c.correction = step.correction;
		if (threadIdx.x == 0) *b.sick = nothingSick;
		double loss = gradients(b, part, s) / step.n;
		if (threadIdx.x == 0 && !(fabs(loss) <= 1.7976931348623157e308)) atomicMin(b.sick, t.lossInstruction);
		__syncthreads();
		bool fine = *b.sick == nothingSick;
		__syncthreads(); // all have read it before the update may change it
		if (fine) {
			if (t.maxNorm > 0) clip(b, part);
			if (t.keep && t.maxNorm > 0) {
				eachParameter(t, [&](const FleetLayer &, int, int dw, int, int, int at, float) { t.arena[dw] = b.grads[at]; });
			}
			update(b);
		}
		bool sick = *b.sick != nothingSick;
		if (threadIdx.x == 0) t.results[s] = {loss, sick ? *b.sick + 1 : 0, 1};
		__syncthreads();
		if (sick) break;
	}
	copyWait<0>(); // for what a step that does not come would have read
	eachParameter(t, [&](const FleetLayer &, int p, int, int, int, int at, float) { t.arena[p] = memory[at]; });
}

// fleet_score leaves what the networks say of rows in FleetTrial.output. The rows of
// a trial are shared out among blocks, each with the weights in its own memory.
KERNEL(fleet_score, FleetArgs, fleetThreads) {
	SHARED(float, memory);
	const FleetTrial &t = a.trials[blockIdx.y];
	Block b = {t, {}, memory, nullptr, nullptr, 0, 0, false};
	b.sick = reinterpret_cast<int *>(reinterpret_cast<double *>(memory + t.sharedEnd) + fleetThreads);
	b.c.rows = t.rows, b.c.n = t.count;
	int tiles = (t.count + t.tile - 1) / t.tile, each = (tiles + a.parts - 1) / a.parts * t.tile;
	int first = blockIdx.x * each, end = min(first + each, t.count);
	if (threadIdx.x == 0) *b.sick = nothingSick;
	eachParameter(t, [&](const FleetLayer &, int p, int, int, int, int at, float) { memory[at] = t.arena[p]; });
	__syncthreads();
	const FleetLayer &last = t.layer[t.layers - 1];
	for (b.first = first; b.first < end; b.first += t.tile) {
		b.rows = min(t.tile, end - b.first);
		gather(b);
		for (int l = 0; l < t.layers; l++) forwardLayer(b, l);
		for (int e = threadIdx.x; e < b.rows * last.out; e += fleetThreads) {
			t.output[(long long)b.first * last.out + e] = memory[last.sharedY + e];
		}
		__syncthreads();
	}
}

// What follows trains trials that are too few for the device: each over as many
// blocks as a batch has tiles, in three launches a step. Tiles are the fleet's and
// are added up in its order, so a trial learns the same bits this way and that.

// SpreadTrial is what a trial's blocks tell one another.
struct SpreadTrial {
	float *parts;   // a tile's gradients, in the order of shared memory; the first tile's are the sum at last
	double *losses; // of a tile's rows
	int *flags;     // what was not finite in each step before its update, and then in each one's update
};

struct SpreadArgs {
	const FleetTrial *trials;
	const SpreadTrial *spread;
	int step, reserved;
};

// A flag is 0, neverRuns, or less the sooner its instruction comes.
enum { neverRuns = -0x7FFFFFFF - 1, lastInstruction = 1 << 30 };

__device__ __forceinline__ void flag(int *flags, int instruction) { atomicMin(flags, instruction - lastInstruction); }

__device__ __forceinline__ void flagUnlessFinite(int *flags, int instruction, float v) {
	if (!(fabsf(v) <= 3.402823466e38f)) flag(flags, instruction);
}

__device__ __forceinline__ void setStep(Block &b, int s) {
	const FleetStep &step = b.t.steps[s];
	b.c.seed = b.t.seed, b.c.step = step.step, b.c.n = step.n, b.c.training = 1;
	b.c.rows = rowsOf(b.t, s);
	b.c.rate = step.rate, b.c.corrected = step.corrected, b.c.correction = step.correction;
}

// spread_tile leaves the gradients and the loss of one tile, blockIdx.x, of a trial.
KERNEL(spread_tile, SpreadArgs, fleetThreads) {
	SHARED(float, memory);
	const FleetTrial &t = a.trials[blockIdx.y];
	const SpreadTrial &p = a.spread[blockIdx.y];
	int s = a.step, first = blockIdx.x * t.tile;
	if (s >= t.count) return;
	if (s > 0 && (p.flags[s - 1] || p.flags[t.count + s - 1])) { // the trial has stopped
		if (blockIdx.x == 0 && threadIdx.x == 0) p.flags[s] = neverRuns;
		return;
	}
	const FleetStep &step = t.steps[s];
	if (first >= step.n) return;
	float *result = p.parts + (long long)blockIdx.x * t.params;
	Block b = {t, {}, memory, t.grads ? result : memory + t.params, nullptr, first, min(t.tile, step.n - first), false};
	double *part = reinterpret_cast<double *>(memory + t.sharedEnd);
	b.sick = reinterpret_cast<int *>(part + fleetThreads);
	setStep(b, s);
	if (step.order >= 0) drawRows(t.orders[step.order], step.first + first, b.rows, t.drawn[s % 2] + first, threadIdx.x, fleetThreads);
	if (threadIdx.x == 0) *b.sick = nothingSick;
	eachParameter(t, [&](const FleetLayer &, int w, int, int, int, int at, float) { memory[at] = t.arena[w]; });
	for (int e = threadIdx.x; e < t.params; e += fleetThreads) b.grads[e] = 0;
	__syncthreads();
	double loss = forwardAndLoss(b, part);
	for (int l = t.layers - 1; l >= 0; l--) backwardLayer(b, l);
	if (!t.grads) {
		for (int e = threadIdx.x; e < t.params; e += fleetThreads) result[e] = b.grads[e];
	}
	if (threadIdx.x > 0) return;
	p.losses[blockIdx.x] = loss;
	if (*b.sick != nothingSick) flag(p.flags + s, *b.sick);
}

// Cell is a parameter of a trial, found by its place in shared memory.
struct Cell {
	const FleetLayer *layer; // null: the place is none of a parameter
	int p, m1, m2;           // in the arena; -1: there is no such moment
	float decay;
};

__device__ __forceinline__ Cell cellAt(const FleetTrial &t, int at) {
	for (int index = t.layers - 1; index >= 0; index--) {
		const FleetLayer &l = t.layer[index];
		if (at < l.sharedW) continue;
		int e = at - l.sharedW, row = e / l.stride, col = e % l.stride;
		if (row >= l.in) {
			e -= l.in * l.stride;
			return {&l, l.b + e, place(l.m1b, e), place(l.m2b, e), l.decayB};
		}
		if (col >= l.out) break;
		e = row * l.out + col;
		return {&l, l.w + e, place(l.m1w, e), place(l.m2w, e), l.decayW};
	}
	return {};
}

// spread_sum adds up the tiles' gradients and losses; a thread has a parameter.
KERNEL(spread_sum, SpreadArgs, fleetThreads) {
	const FleetTrial &t = a.trials[blockIdx.y];
	const SpreadTrial &p = a.spread[blockIdx.y];
	int s = a.step, at = blockIdx.x * fleetThreads + threadIdx.x;
	if (s >= t.count || p.flags[s] == neverRuns) return;
	int n = t.steps[s].n, tiles = (n + t.tile - 1) / t.tile;
	if (at == 0) {
		double loss = 0;
		for (int i = 0; i < tiles; i++) loss += p.losses[i];
		loss /= n;
		t.results[s] = {loss, 0, 1};
		if (!(fabs(loss) <= 1.7976931348623157e308)) flag(p.flags + s, t.lossInstruction);
	}
	Cell cell = at < t.params ? cellAt(t, at) : Cell{};
	if (!cell.layer) return;
	float sum = 0;
	for (int i = 0; i < tiles; i++) sum += p.parts[(long long)i * t.params + at];
	p.parts[at] = sum;
	flagUnlessFinite(p.flags + s, cell.layer->backward, sum);
}

// spread_update takes the step, unless something was not finite.
KERNEL(spread_update, SpreadArgs, fleetThreads) {
	const FleetTrial &t = a.trials[blockIdx.y];
	const SpreadTrial &p = a.spread[blockIdx.y];
	int s = a.step, at = blockIdx.x * fleetThreads + threadIdx.x;
	if (s >= t.count || p.flags[s] || at >= t.params) return;
	Cell cell = cellAt(t, at);
	if (!cell.layer) return;
	Block b = {t, {}, nullptr, nullptr, nullptr, 0, 0, false};
	setStep(b, s);
	float *first = cell.m1 >= 0 ? t.arena + cell.m1 : nullptr, *second = cell.m2 >= 0 ? t.arena + cell.m2 : nullptr;
	float v = updated(t.rule, b.c, t.arena[cell.p], p.parts[at], cell.decay, first, second);
	t.arena[cell.p] = v;
	int *flags = p.flags + t.count + s;
	flagUnlessFinite(flags, t.updateInstruction, v);
	if (first) flagUnlessFinite(flags, t.updateInstruction, *first);
	if (second) flagUnlessFinite(flags, t.updateInstruction, *second);
}
