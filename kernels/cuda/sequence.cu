// What makes the launches of a step a sequence of steps: the first kernel fetches
// the step's control from a queue, the last one files its result.
#include "common.cuh"

struct Queue {
	const Control *steps;
	StepResult *results;
	int next, stopped; // stopped: a step was not finite, the rest is left out
};

struct SequenceArgs {
	Control *control;
	Queue *queue;
	const double *mean;
};

KERNEL(sequence_begin, SequenceArgs, 32) {
	if (threadIdx.x > 0) return;
	*a.control = a.queue->steps[a.queue->next];
	// A step that must not run looks like one whose first instruction has failed
	// before it began.
	if (a.queue->stopped) a.control->sick = -1;
}

KERNEL(sequence_end, SequenceArgs, 32) {
	if (threadIdx.x > 0) return;
	int sick = a.control->sick;
	if (sick >= 0) a.queue->results[a.queue->next] = {*a.mean, sick, 1};
	if (sick) a.queue->stopped = 1;
	a.queue->next++;
}
