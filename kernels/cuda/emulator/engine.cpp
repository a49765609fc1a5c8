//go:build emu

// Runs blocks one after another and the threads of a block as fibers, which change
// only where they wait for one another: at barriers and shuffles. Device memory
// ends at pages that may not be touched, and starts as NaN. What an asynchronous
// copy fetches is NaN until it has been waited for and a barrier has followed.
#include "emulator.h"
#include "engine.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "fiber.h"

namespace emulator {

namespace {

enum State { ready, atBarrier, atShuffle, done };

// Copy is one asynchronous copy to shared memory. Its place holds NaN from when it
// is begun until the first barrier after the wait for it, the latest time at which a
// device may write it; source and place must then be what they were.
struct Copy {
	char *to;
	const char *from;
	std::size_t bytes, group; // of its thread's
	bool waited;
	char source[16];
};

struct Fiber {
	Thread self;
	State state;
	const char *file; // where it waits
	int line;
	unsigned mask; // of a shuffle
	std::uint64_t bits;
	int from;
	std::vector<Copy> copies; // that have not come
	std::size_t groups;       // committed
	FiberContext context;
	char *stack;
};

const std::size_t stackBytes = 64 << 10;

Kernel *kernels;
std::vector<Fiber> fibers;
Fiber *running;
FiberContext scheduler;
const Kernel *kernel;
const void *arguments;
char *shared;
std::size_t sharedSize;
char failure[512];

void fail(const char *what, const Fiber &f, const Fiber &g) {
	std::snprintf(failure, sizeof failure, "kernel %s, block (%u, %u, %u): %s: thread %u (%s:%d), thread %u (%s:%d)",
		kernel->name, f.self.block.x, f.self.block.y, f.self.block.z, what,
		f.self.index.x, f.file ? f.file : "ended", f.line, g.self.index.x, g.file ? g.file : "ended", g.line);
}

void wait(State state, const char *file, int line) {
	running->state = state, running->file = file, running->line = line;
	switchFiber(&running->context, &scheduler);
}

// stop ends the running fiber, and with it the launch.
void stop(const char *what) {
	std::snprintf(failure, sizeof failure, "kernel %s, block (%u, %u, %u), thread %u: %s", kernel->name,
		running->self.block.x, running->self.block.y, running->self.block.z, running->self.index.x, what);
	for (;;) wait(done, nullptr, 0);
}

void begin() {
	kernel->run(arguments);
	for (const Copy &c : running->copies) {
		if (!c.waited) stop("it ends before a copy that it began has come");
	}
	running->state = done, running->file = nullptr, running->line = 0;
	switchFiber(&running->context, &scheduler);
}

// guarded is memory that ends where an untouchable page begins, filled with NaN.
char *guarded(std::size_t bytes, std::size_t *mapped) {
	std::size_t page = sysconf(_SC_PAGESIZE), used = (bytes + 15) / 16 * 16, pages = (used + page - 1) / page;
	*mapped = (pages + 2) * page;
	char *base = static_cast<char *>(mmap(nullptr, *mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	if (base == MAP_FAILED || mprotect(base + page, pages * page, PROT_READ | PROT_WRITE)) return nullptr;
	std::memset(base + page, 0xFF, pages * page);
	return base + (1 + pages) * page - used;
}

// exchange ends the shuffle of a warp; all lanes of its mask must be in it.
bool exchange(std::size_t first) {
	std::size_t end = first + 32 < fibers.size() ? first + 32 : fibers.size();
	const Fiber *leader = nullptr;
	for (std::size_t i = first; i < end; i++) {
		if (fibers[i].state == atShuffle && !leader) leader = &fibers[i];
	}
	if (!leader) return false;
	for (std::size_t i = first; i < end; i++) {
		const Fiber &f = fibers[i];
		bool named = leader->mask >> (i - first) & 1, there = f.state == atShuffle;
		if (named != there || (there && (f.mask != leader->mask || f.line != leader->line))) {
			fail("a shuffle that not all lanes of its mask reach", *leader, f);
			return false;
		}
	}
	std::uint64_t bits[32];
	for (std::size_t i = first; i < end; i++) {
		std::size_t from = first + fibers[i].from;
		bits[i - first] = from < end && fibers[from].state == atShuffle ? fibers[from].bits : ~std::uint64_t(0);
	}
	for (std::size_t i = first; i < end; i++) {
		if (fibers[i].state == atShuffle) fibers[i].bits = bits[i - first], fibers[i].state = ready;
	}
	return true;
}

// arrive delivers a fiber's copies that have been waited for; false where something
// is wrong with one.
bool arrive(Fiber &f) {
	std::size_t kept = 0;
	for (const Copy &c : f.copies) {
		if (!c.waited) {
			f.copies[kept++] = c;
			continue;
		}
		const char *what = std::memcmp(c.from, c.source, c.bytes) ? "the source of a copy changed before the copy had come" : nullptr;
		for (std::size_t i = 0; i < c.bytes; i++) {
			if (c.to[i] != char(0xFF)) what = "something was written to where a copy was still to come";
		}
		if (what) {
			fail(what, f, f);
			return false;
		}
		std::memcpy(c.to, c.from, c.bytes);
	}
	f.copies.resize(kept);
	return true;
}

// release lets waiting fibers go on, once none can run; false when all are done
// or something is wrong.
bool release() {
	bool moved = false;
	for (std::size_t first = 0; first < fibers.size() && !*failure; first += 32) moved |= exchange(first);
	if (moved || *failure) return !*failure;
	const Fiber &leader = fibers[0];
	for (const Fiber &f : fibers) {
		if (f.state != leader.state || f.line != leader.line) {
			fail("a barrier that not all threads reach", leader, f);
			return false;
		}
	}
	if (leader.state == done) return false;
	for (Fiber &f : fibers) {
		if (!arrive(f)) return false;
		f.state = ready;
	}
	return true;
}

void runBlock(Index block, int threads, bool backwards) {
	for (int i = 0; i < threads; i++) {
		Fiber &f = fibers[i];
		f.self = {{unsigned(i), 0, 0}, block};
		f.state = ready, f.file = nullptr, f.line = 0;
		f.copies.clear(), f.groups = 0;
		startFiber(&f.context, f.stack, stackBytes, begin);
	}
	do {
		for (int i = 0; i < threads && !*failure; i++) {
			running = &fibers[backwards ? threads - 1 - i : i];
			if (running->state == ready) switchFiber(&scheduler, &running->context);
		}
	} while (release());
}

} // namespace

Kernel::Kernel(const char *name, std::size_t argsSize, int threads, void (*run)(const void *))
	: name(name), argsSize(argsSize), threads(threads), run(run), next(kernels) {
	kernels = this;
}

Thread &thread() { return running->self; }
void *sharedMemory() { return shared; }
void barrier(const char *file, int line) { wait(atBarrier, file, line); }

std::uint64_t shuffle(unsigned mask, std::uint64_t bits, int from, const char *file, int line) {
	running->mask = mask, running->bits = bits, running->from = from;
	wait(atShuffle, file, line);
	return running->bits;
}

void beginCopy(void *to, const void *from, std::size_t bytes) {
	Copy c = {static_cast<char *>(to), static_cast<const char *>(from), bytes, running->groups, false, {}};
	if (std::uintptr_t(to) % bytes || std::uintptr_t(from) % bytes) stop("a copy is not aligned to its size");
	if (c.to < shared || c.to + bytes > shared + sharedSize) stop("a copy goes elsewhere than to shared memory");
	std::memcpy(c.source, from, bytes);
	std::memset(to, 0xFF, bytes);
	running->copies.push_back(c);
}

void checkAligned(const void *p, std::size_t bytes) {
	if (std::uintptr_t(p) % bytes) stop("an access is not aligned to its size");
}

void commitCopies() { running->groups++; }

void waitForCopies(std::size_t pending) {
	for (Copy &c : running->copies) c.waited |= c.group + pending < running->groups;
}

} // namespace emulator

using namespace emulator;

const char *emulatorLaunch(const char *name, const unsigned grid[3], int threads, size_t sharedBytes, const void *args,
	size_t argsSize, int backwards) {
	*failure = 0;
	kernel = kernels;
	while (kernel && std::strcmp(kernel->name, name)) kernel = kernel->next;
	if (!kernel) {
		std::snprintf(failure, sizeof failure, "no kernel %s", name);
	} else if (argsSize != kernel->argsSize) {
		std::snprintf(failure, sizeof failure, "kernel %s takes %zu bytes, not %zu", name, kernel->argsSize, argsSize);
	} else if (threads < 1 || threads > kernel->threads) {
		std::snprintf(failure, sizeof failure, "kernel %s takes 1 to %d threads, not %d", name, kernel->threads, threads);
	}
	if (*failure) return failure;
	while (fibers.size() < std::size_t(threads)) {
		fibers.emplace_back();
		fibers.back().stack = static_cast<char *>(std::malloc(stackBytes));
	}
	std::vector<Fiber> parked(fibers.begin() + threads, fibers.end());
	fibers.resize(threads);
	arguments = args;
	std::size_t mapped = 0;
	shared = sharedBytes ? guarded(sharedBytes, &mapped) : nullptr, sharedSize = sharedBytes;
	Index b;
	unsigned count = grid[0] * grid[1] * grid[2];
	for (unsigned i = 0; i < count && !*failure; i++) {
		unsigned at = backwards ? count - 1 - i : i;
		b = {at % grid[0], at / grid[0] % grid[1], at / grid[0] / grid[1]};
		if (shared) std::memset(shared, 0xFF, sharedBytes);
		runBlock(b, threads, backwards);
	}
	if (shared) munmap(shared + (sharedBytes + 15) / 16 * 16 - (mapped - sysconf(_SC_PAGESIZE)), mapped);
	fibers.insert(fibers.end(), parked.begin(), parked.end());
	return *failure ? failure : nullptr;
}

void *emulatorAllocate(size_t bytes) {
	size_t mapped;
	return guarded(bytes, &mapped);
}

void emulatorFree(void *p, size_t bytes) {
	size_t page = sysconf(_SC_PAGESIZE), used = (bytes + 15) / 16 * 16, pages = (used + page - 1) / page;
	munmap(static_cast<char *>(p) + used - (1 + pages) * page, (pages + 2) * page);
}
