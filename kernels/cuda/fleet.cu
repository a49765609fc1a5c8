// Trials of one shape side by side, one a block: a block keeps the weights of its
// network in shared memory, takes a tile of samples at a time through the whole
// network and back, and runs many steps in one launch. Which trials run beside it
// makes no difference to a trial.
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
		part[i] = rowLoss(t.loss, d, b.shared + l.sharedY + i * l.pitch, label, nullptr, b.c.n);
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
