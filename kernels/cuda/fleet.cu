// Trials of one shape side by side, one a block: a block keeps the weights of its
// network in shared memory, takes a tile of samples at a time through the whole
// network and back, and runs many steps in one launch. Which trials run beside it
// makes no difference to a trial.
#include "fleet_tile.cuh"

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

// clip scales the gradients to maxNorm; the sum of squares has a fixed order.
__device__ __forceinline__ void clip(Block &b, double *part) {
	double sum = 0;
	eachParameter(b.t, [&](const Params &, int, int, int grad) { sum += (double)b.grads[grad] * b.grads[grad]; });
	part[threadIdx.x] = sum;
	for (int half = fleetThreads / 2; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
	}
	__syncthreads();
	double norm = sqrt(part[0]);
	if (norm > b.t.maxNorm) {
		float scale = (float)(b.t.maxNorm / norm);
		eachParameter(b.t, [&](const Params &, int, int, int grad) { b.grads[grad] *= scale; });
	}
	__syncthreads();
}

// update moves the parameters, several of a thread at a time: it waits once for all
// that it reads of them.
__device__ __forceinline__ void update(Block &b) {
	enum { few = 8 };
	float *arena = b.t.arena;
	const UpdateRule rule = b.t.rule;
	bool fine = true;
	eachFew<few>(b.t, [&](const Params &s, const int *e, const int *at, const int *grad) {
		float p[few] = {}, g[few] = {}, m1[few] = {}, m2[few] = {}; // a rule without a moment leaves it 0
		UNROLL for (int i = 0; i < few; i++) {
			if (e[i] < 0) continue;
			p[i] = s.shared >= 0 ? b.shared[at[i]] : arena[s.p + e[i]], g[i] = b.grads[grad[i]];
			if (s.m1 >= 0) m1[i] = arena[s.m1 + e[i]];
			if (s.m2 >= 0) m2[i] = arena[s.m2 + e[i]];
		}
		UNROLL for (int i = 0; i < few; i++) p[i] = updated(rule, b.c, p[i], g[i], s.decay, m1 + i, m2 + i);
		UNROLL for (int i = 0; i < few; i++) {
			fine &= isFinite(p[i]) & isFinite(m1[i]) & isFinite(m2[i]);
			if (e[i] < 0) continue;
			if (s.shared >= 0) {
				b.shared[at[i]] = p[i];
			} else {
				arena[s.p + e[i]] = p[i];
			}
			if (s.m1 >= 0) arena[s.m1 + e[i]] = m1[i];
			if (s.m2 >= 0) arena[s.m2 + e[i]] = m2[i];
		}
	});
	note(b, b.t.updateInstruction, fine);
	__syncthreads();
}

// checkGradients notes the layers whose gradients are not finite.
__device__ __forceinline__ void checkGradients(Block &b) {
	enum { few = 8 };
	eachFew<few>(b.t, [&](const Params &s, const int *e, const int *, const int *grad) {
		float g[few];
		bool fine = true;
		UNROLL for (int i = 0; i < few; i++) g[i] = e[i] < 0 ? 0 : b.grads[grad[i]];
		UNROLL for (int i = 0; i < few; i++) fine &= isFinite(g[i]);
		note(b, s.backward, fine);
	});
}

// keepGradients copies the gradients to the arena.
__device__ __forceinline__ void keepGradients(Block &b) {
	eachParameter(b.t, [&](const Params &s, int e, int, int grad) { b.t.arena[s.dp + e] = b.grads[grad]; });
}

// gradients takes the step's batch through the network, a tile at a time, and
// returns the sum of the rows' losses in lossThread.
__device__ __forceinline__ double gradients(Block &b, double *part, int s) {
	const FleetTrial &t = b.t;
	const float zeros[4] = {};
	for (int e = 4 * threadIdx.x; e < t.gradients; e += 4 * fleetThreads) store4(b.grads + e, zeros);
	__syncthreads();
	double loss = 0;
	for (b.first = 0; b.first < b.c.n; b.first += t.tile) {
		b.rows = min(t.tile, b.c.n - b.first);
		gather(b);
		ROLLED for (int l = 0; l < t.layers; l++) forwardLayer(b, l);
		lossRows(b, part);
		lossGradient(b);
		loss += tileLoss(b, part);
		ROLLED for (int l = t.layers - 1; l >= 0; l--) {
			if (l == 0) fetchNext(b, s);
			backwardLayer(b, l);
		}
	}
	checkGradients(b);
	if (t.keep) keepGradients(b);
	__syncthreads();
	return loss;
}

KERNEL(fleet, FleetArgs, fleetThreads) {
	SHARED(float, memory);
	const FleetTrial &t = a.trials[blockIdx.x];
	Block b = {t, {}, memory, t.grads ? t.grads : memory + t.params, nullptr, 0, 0, false};
	double *part = reinterpret_cast<double *>(memory + t.sharedEnd);
	b.sick = reinterpret_cast<int *>(part + fleetThreads);
	loadParameters(t, memory);
	for (int s = 0; s < t.count; s++) {
		const FleetStep &step = t.steps[s];
		b.c.seed = t.seed, b.c.step = step.step, b.c.n = step.n, b.c.training = 1;
		b.c.rows = rowsOf(t, s);
		if (!b.fetched) draw(t, s); // all threads meet in gradients before they read it
		b.c.rate = step.rate, b.c.corrected = step.corrected, b.c.correction = step.correction;
		if (threadIdx.x == 0) *b.sick = nothingSick;
		double loss = gradients(b, part, s) / step.n;
		if (threadIdx.x == lossThread && !(fabs(loss) <= 1.7976931348623157e308)) atomicMin(b.sick, t.lossInstruction);
		__syncthreads();
		bool fine = *b.sick == nothingSick;
		__syncthreads(); // all have read it before the update may change it
		if (fine) {
			if (t.maxNorm > 0) clip(b, part);
			if (t.keep && t.maxNorm > 0) keepGradients(b);
			update(b);
		}
		bool sick = *b.sick != nothingSick;
		if (threadIdx.x == lossThread) t.results[s] = {loss, sick ? *b.sick + 1 : 0, 1};
		__syncthreads();
		if (sick) break;
	}
	copyWait<0>(); // for what a step that does not come would have read
	eachParameter(t, [&](const Params &s, int e, int at, int) {
		if (s.shared >= 0) t.arena[s.p + e] = memory[at];
	});
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
	loadParameters(t, memory);
	__syncthreads();
	const FleetLayer &last = t.layer[t.layers - 1];
	for (b.first = first; b.first < end; b.first += t.tile) {
		b.rows = min(t.tile, end - b.first);
		gather(b);
		ROLLED for (int l = 0; l < t.layers; l++) forwardLayer(b, l);
		for (int e = threadIdx.x; e < b.rows * last.out; e += fleetThreads) {
			t.output[(long long)b.first * last.out + e] = memory[last.sharedY + e / last.out * last.pitch + e % last.out];
		}
		__syncthreads();
	}
}
