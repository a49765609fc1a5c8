package spec

import "flowbench/train"

// Budget is what a study may take. A limit of 0 was not given. It decides how
// far a study comes, not what its trials find, so no plan depends on it.
type Budget struct {
	Trials int `yaml:"trials"`
	// Wall is the time since the study began.
	Wall Duration `yaml:"wall"`
	// GPUHours are summed over the GPUs that workers hold.
	GPUHours    float64 `yaml:"gpu_hours"`
	MinFreeDisk Size    `yaml:"min_free_disk"`
}

// Slurm is what each worker of a study asks Slurm for. Where a field is 0 or
// empty the cluster's own default holds.
type Slurm struct {
	Partition string `yaml:"partition"`
	GPUs      int    `yaml:"gpus"`
	CPUs      int    `yaml:"cpus"`
	Memory    Size   `yaml:"memory"`
	// Time is how long a worker may run until it is requeued.
	Time Duration `yaml:"time"`
	// Workers is how many there are, of which Throttle run at once; 0: all.
	Workers  int `yaml:"workers"`
	Throttle int `yaml:"throttle"`
	// Warn is how long before its end a worker is told to checkpoint.
	Warn Duration `yaml:"warn"`
	// Extra are more options of sbatch, word by word.
	Extra []string `yaml:"extra"`
}

const (
	defaultRetries   = 2  // with the first one three attempts: what fails by chance seldom does so three times
	defaultMaxFailed = 10 // more than bad luck on one machine
	defaultWarn      = Duration(120e9)
)

func limitRules() []train.Rule {
	return []train.Rule{
		{Field: "sweep.retries", Range: train.Between(0, 100), Doc: "attempts at a trial after one that failed"},
		{Field: "sweep.max_failed", Range: train.Between(1, maxConfigurations), Doc: "failed trials that stop the study"},
		{Field: "sweep.budget.trials", Range: train.Between(1, maxConfigurations), Doc: "trials that end the study"},
		{Field: "sweep.budget.wall", Doc: "time since its start that ends the study, such as 8h"},
		{Field: "sweep.budget.gpu_hours", Range: train.Positive(), Doc: "hours of GPUs, in sum, that end the study"},
		{Field: "sweep.budget.min_free_disk", Doc: "free space below which the study pauses, such as 2GB"},
		{Field: "sweep.slurm.partition", Doc: "where workers run"},
		{Field: "sweep.slurm.gpus", Range: train.Between(0, 64), Doc: "GPUs of a worker"},
		{Field: "sweep.slurm.cpus", Range: train.Between(1, 1<<16), Doc: "processor cores of a worker"},
		{Field: "sweep.slurm.memory", Doc: "memory of a worker, such as 32GB"},
		{Field: "sweep.slurm.time", Doc: "how long a worker may run until it is requeued, such as 4h"},
		{Field: "sweep.slurm.workers", Range: train.Between(1, maxReplicates), Doc: "workers"},
		{Field: "sweep.slurm.throttle", Range: train.Between(1, maxReplicates), Doc: "workers at once"},
		{Field: "sweep.slurm.warn", Doc: "how long before its end a worker is told to checkpoint, such as 120s"},
		{Field: "sweep.slurm.extra", Doc: "more options of sbatch"},
	}
}

// checkSlurm fills in what was not said of the workers.
func (s *Sweep) checkSlurm(v value, path string) *Error {
	w := s.Slurm
	if w == nil {
		return nil
	}
	setNumber(&w.CPUs, 1)
	setNumber(&w.Workers, 1)
	if w.Warn == 0 {
		w.Warn = defaultWarn
	}
	if w.Time > 0 && w.Warn >= w.Time {
		written, _ := v.find("slurm")
		return written.value.place("time").errorf(path+".slurm.time", "is %v, but a worker is warned %v before its end: write more time, or a shorter warn", w.Time, w.Warn)
	}
	return nil
}
