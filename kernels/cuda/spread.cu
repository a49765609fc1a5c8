// Trials that are too few for the device, each over all of it: samples are shared out
// among blocks, then weights are, in four launches a step. What is added up is added
// in the order of a fleet, tile by tile, so a trial learns the same bits this way.
#include "fleet_tile.cuh"

// SpreadTrial is what a trial's blocks tell one another.
struct SpreadTrial {
	float *saved;   // of each row of the batch the input, then each layer's outputs and their sums' gradient
	double *losses; // of each row
	float *parts;   // each tile's gradients, as they lie in shared memory; the first tile's are the sum at last
	int *flags;     // what was not finite in each step before its update, and then in each one's update
	int batch;      // rows that there is room for
	int reserved;
};

struct SpreadArgs {
	const FleetTrial *trials;
	const SpreadTrial *spread;
	int *next; // the step for all kernels but spread_update, and the one for that: each is set where nobody reads it
	int rows;  // of a block of spread_rows
	int reserved;
};

// A flag is 0, neverRuns, or less the sooner its instruction comes.
enum { neverRuns = -0x7FFFFFFF - 1, lastInstruction = 1 << 30 };

__device__ __forceinline__ void flag(int *flags, int instruction) { atomicMin(flags, instruction - lastInstruction); }

// newBlock is for rows of step s from first on.
__device__ __forceinline__ Block newBlock(const FleetTrial &t, float *memory, float *grads, int s, int first, int rows) {
	const FleetStep &step = t.steps[s];
	Block b = {t, {}, memory, grads, nullptr, first, min(rows, step.n - first), false};
	b.sick = reinterpret_cast<int *>(reinterpret_cast<double *>(memory + t.sharedEnd) + fleetThreads);
	b.c.seed = t.seed, b.c.step = step.step, b.c.n = step.n, b.c.training = 1;
	b.c.rows = rowsOf(t, s);
	b.c.rate = step.rate, b.c.corrected = step.corrected, b.c.correction = step.correction;
	return b;
}

// Saved is where the rows of a block are kept, pitch apart.
struct Saved {
	float *at;
	int shared, pitch;
};

__device__ __forceinline__ Saved savedInput(const Block &b, const SpreadTrial &p) {
	return {p.saved + (long long)b.first * b.t.inputPitch, b.t.sharedInput, b.t.inputPitch};
}

// savedLayer is that of a layer's outputs or of their sums' gradient, which take one
// place in shared memory, one after the other.
__device__ __forceinline__ Saved savedLayer(const Block &b, const SpreadTrial &p, int index, bool gradient) {
	int before = b.t.inputPitch;
	for (int i = 0; i < index; i++) before += 2 * b.t.layer[i].pitch;
	const FleetLayer &l = b.t.layer[index];
	if (gradient) before += l.pitch;
	return {p.saved + (long long)p.batch * before + (long long)b.first * l.pitch, l.sharedY, l.pitch};
}

__device__ __forceinline__ void save(const Block &b, Saved s) {
	for (int e = 4 * threadIdx.x; e < b.rows * s.pitch; e += 4 * fleetThreads) {
		float v[4];
		load4(v, b.shared + s.shared + e);
		store4(s.at + e, v);
	}
}

__device__ __forceinline__ void restore(const Block &b, Saved s) {
	for (int e = 4 * threadIdx.x; e < b.rows * s.pitch; e += 4 * fleetThreads) copyAsync<16>(b.shared + s.shared + e, s.at + e);
}

// spread_rows takes a.rows samples of a trial through the network and back, but for
// the gradients of parameters, and saves what these need.
KERNEL(spread_rows, SpreadArgs, fleetThreads) {
	SHARED(float, memory);
	const FleetTrial &t = a.trials[blockIdx.y];
	const SpreadTrial &p = a.spread[blockIdx.y];
	int s = a.next[0], first = blockIdx.x * a.rows;
	if (s >= t.count) return;
	if (s > 0 && (p.flags[s - 1] || p.flags[t.count + s - 1])) { // the trial has stopped
		if (blockIdx.x == 0 && threadIdx.x == 0) p.flags[s] = neverRuns;
		return;
	}
	const FleetStep &step = t.steps[s];
	if (first >= step.n) return;
	Block b = newBlock(t, memory, nullptr, s, first, a.rows);
	double *part = reinterpret_cast<double *>(memory + t.sharedEnd);
	if (step.order >= 0) drawRows(t.orders[step.order], step.first + first, b.rows, t.drawn[s % 2] + first, threadIdx.x, fleetThreads);
	if (threadIdx.x == 0) *b.sick = nothingSick;
	loadParameters(t, memory);
	__syncthreads();
	gather(b);
	save(b, savedInput(b, p));
	ROLLED for (int l = 0; l < t.layers; l++) {
		forwardLayer(b, l);
		if (l + 1 < t.layers) save(b, savedLayer(b, p, l, false));
	}
	lossRows(b, part);
	for (int i = threadIdx.x; i < b.rows; i += fleetThreads) p.losses[first + i] = part[i];
	lossGradient(b);
	ROLLED for (int l = t.layers - 1; l >= 0; l--) {
		save(b, savedLayer(b, p, l, true));
		if (l > 0) propagate(b, l);
	}
	if (threadIdx.x == 0 && *b.sick != nothingSick) flag(p.flags + s, *b.sick);
}

// spread_weights makes one tile's gradients of one layer.
KERNEL(spread_weights, SpreadArgs, fleetThreads) {
	SHARED(float, memory);
	const FleetTrial &t = a.trials[blockIdx.y];
	const SpreadTrial &p = a.spread[blockIdx.y];
	int s = a.next[0], tile = blockIdx.x / t.layers, index = blockIdx.x % t.layers;
	if (s >= t.count || p.flags[s] == neverRuns || tile * t.tile >= t.steps[s].n) return;
	const FleetLayer &l = t.layer[index];
	float *result = p.parts + (long long)tile * t.gradients;
	Block b = newBlock(t, memory, t.grads ? result : memory + t.params, s, tile * t.tile, t.tile);
	restore(b, index ? savedLayer(b, p, index - 1, false) : savedInput(b, p));
	restore(b, savedLayer(b, p, index, true));
	copyCommit();
	int weights = l.in * l.gradStride, biases = l.gradB >= 0 ? l.out : 0;
	for (int e = threadIdx.x; e < weights; e += fleetThreads) b.grads[l.gradW + e] = 0;
	for (int e = threadIdx.x; e < biases; e += fleetThreads) b.grads[l.gradB + e] = 0;
	copyWait<0>();
	__syncthreads();
	addGradients(b, index);
	if (t.grads) return;
	for (int e = threadIdx.x; e < weights; e += fleetThreads) result[l.gradW + e] = b.grads[l.gradW + e];
	for (int e = threadIdx.x; e < biases; e += fleetThreads) result[l.gradB + e] = b.grads[l.gradB + e];
}

// Cell is a parameter of a trial, found by its place among the gradients.
struct Cell {
	Params of;
	int e; // which of them; -1: there is none at this place
};

__device__ __forceinline__ Cell cellAt(const FleetTrial &t, int at) {
	Cell none = {{}, -1};
	if (at >= t.gradients) return none;
	int index = t.layers - 1;
	while (at < t.layer[index].gradW) index--;
	const FleetLayer &l = t.layer[index];
	bool biases = l.gradB >= 0 && at >= l.gradB;
	Params s = paramsOf(l, biases);
	int row = biases ? 0 : (at - s.grad) / l.gradStride, col = (at - s.grad) - row * l.gradStride;
	if (col >= s.cols) return none;
	return {s, row * s.cols + col};
}

// fileLoss adds up the rows' losses, a tile a thread, and then the tiles'.
__device__ __forceinline__ void fileLoss(const FleetTrial &t, const SpreadTrial &p, int s, double *tiles) {
	int n = t.steps[s].n;
	double loss = 0;
	for (int first = 0; first < n; first += fleetThreads * t.tile) {
		int from = first + threadIdx.x * t.tile, to = min(from + t.tile, n);
		double sum = 0;
		for (int i = from; i < to; i++) sum += p.losses[i];
		tiles[threadIdx.x] = sum;
		__syncthreads();
		for (int i = 0; threadIdx.x == 0 && i < fleetThreads && first + i * t.tile < n; i++) loss += tiles[i];
		__syncthreads();
	}
	if (threadIdx.x > 0) return;
	loss /= n;
	t.results[s] = {loss, 0, 1};
	if (!(fabs(loss) <= 1.7976931348623157e308)) flag(p.flags + s, t.lossInstruction);
}

// spread_sum adds up the tiles' gradients and losses; a thread has a parameter.
KERNEL(spread_sum, SpreadArgs, fleetThreads) {
	SHARED(double, memory);
	const FleetTrial &t = a.trials[blockIdx.y];
	const SpreadTrial &p = a.spread[blockIdx.y];
	int s = a.next[0], at = blockIdx.x * fleetThreads + threadIdx.x;
	if (blockIdx.y == 0 && at == 0) a.next[1] = s;
	if (s >= t.count || p.flags[s] == neverRuns) return;
	if (blockIdx.x == 0) fileLoss(t, p, s, memory);
	Cell cell = cellAt(t, at);
	if (cell.e < 0) return;
	int tiles = (t.steps[s].n + t.tile - 1) / t.tile;
	float sum = 0;
	for (int i = 0; i < tiles; i++) sum += p.parts[(long long)i * t.gradients + at];
	p.parts[at] = sum;
	if (!isFinite(sum)) flag(p.flags + s, cell.of.backward);
}

// spread_update takes the step, unless something was not finite.
KERNEL(spread_update, SpreadArgs, fleetThreads) {
	const FleetTrial &t = a.trials[blockIdx.y];
	const SpreadTrial &p = a.spread[blockIdx.y];
	int s = a.next[1], at = blockIdx.x * fleetThreads + threadIdx.x;
	if (blockIdx.y == 0 && at == 0) a.next[0] = s + 1;
	if (s >= t.count || p.flags[s]) return;
	Cell cell = cellAt(t, at);
	if (cell.e < 0) return;
	const FleetStep &step = t.steps[s];
	Control c = {};
	c.rate = step.rate, c.corrected = step.corrected, c.correction = step.correction;
	const Params &of = cell.of;
	float *v = t.arena + of.p + cell.e, m1 = 0, m2 = 0; // a rule without a moment leaves it 0
	if (of.m1 >= 0) m1 = t.arena[of.m1 + cell.e];
	if (of.m2 >= 0) m2 = t.arena[of.m2 + cell.e];
	*v = updated(t.rule, c, *v, p.parts[at], of.decay, &m1, &m2);
	if (of.m1 >= 0) t.arena[of.m1 + cell.e] = m1;
	if (of.m2 >= 0) t.arena[of.m2 + cell.e] = m2;
	if (!isFinite(*v) || !isFinite(m1) || !isFinite(m2)) flag(p.flags + t.count + s, t.updateInstruction);
}
