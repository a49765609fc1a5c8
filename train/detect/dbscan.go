package detect

import (
	"context"
	"errors"
	"fmt"
	"math"

	"flowbench/train/checkpoint"
)

// DBSCANOptions is what decides a DBSCAN beside its data.
type DBSCANOptions struct {
	// Eps is the distance within which rows are neighbours. With nil it is the
	// knee of the k-distance curve (see kneeOf).
	Eps *float64 `json:"eps"`
	// MinPoints is how many rows, itself and its copies included, a row needs
	// within Eps to be a core; 0 is 10.
	MinPoints int `json:"min_points"`
	// free tells how many bytes of memory may be taken; nil asks the machine.
	free func() (int64, bool)
}

// defaultMinPoints is large enough for a single flow not to make a cluster.
const defaultMinPoints = 10

// Clustering is the outcome of DBSCAN on the rows that it was given.
type Clustering struct {
	Eps       float64
	MinPoints int
	// Labels is each row's cluster, or -1 for noise. Clusters are numbered in the
	// order of their first cores, and a row near cores of several clusters is in
	// the first of them, as in scikit-learn.
	Labels   []int32
	Core     []bool // whether a row is a core
	Clusters int
	Cores    int // rows that are cores
	Noise    int // rows that are
	cores    *atlas
}

// Cluster is DBSCAN (Ester, Kriegel, Sander, Xu, KDD 1996), exact: a row with
// MinPoints rows within Eps of it is a core, cores within Eps of each other are
// of one cluster, other rows within Eps of a core are of that core's cluster,
// and all others are noise. Distances are Euclidean; whether one is within Eps
// is decided in float64. The truth is not read.
//
// The cost is that of comparing sketches of all pairs of rows that boxes of 128
// do not exclude (see sketcher), at worst of all. Memory is about
// 2·cols + 140 float32 for each distinct row beside the matrix.
func Cluster(ctx context.Context, data Data, o DBSCANOptions) (*Clustering, error) {
	return clusterFrom(ctx, data, o, nil, nil)
}

// clusterFrom is Cluster from where an earlier one was interrupted, between two
// of its stages.
func clusterFrom(ctx context.Context, data Data, o DBSCANOptions, from *checkpoint.File, between Between) (*Clustering, error) {
	if o.MinPoints == 0 {
		o.MinPoints = defaultMinPoints
	}
	if err := firstError(ctx.Err(), data.check(), o.check(data)); err != nil {
		return nil, err
	}
	d := distinctRows(data.X, data.Cols)
	sketcher := newSketcher(data.X, data.Cols)
	rows, err := newAtlas(ctx, sketcher, data.X, d.first)
	if err != nil {
		return nil, err
	}
	weight := make([]int32, rows.rows)
	for place, row := range rows.order {
		weight[place] = d.weight[d.of[row]]
	}
	s := &dbscanStages{options: o, between: between}
	if from != nil {
		if err := s.restore(from, rows.rows); err != nil {
			return nil, err
		}
	}
	if err := s.findEps(ctx, rows, weight, d, data); err != nil {
		return nil, err
	}
	c := &Clustering{Eps: s.at.Eps, MinPoints: o.MinPoints}
	return c, c.cluster(ctx, s, rows, weight, d, data)
}

// findEps is the first stage.
func (s *dbscanStages) findEps(ctx context.Context, rows *atlas, weight []int32, d distinct, data Data) (err error) {
	switch {
	case s.at.Eps != 0:
		return nil
	case s.options.Eps != nil:
		s.at.Eps = *s.options.Eps
		return nil
	}
	if s.at.Eps, err = kneeOf(ctx, rows, weight, d, data, s.options.MinPoints); err != nil {
		return err
	}
	return s.done()
}

func (o DBSCANOptions) check(data Data) error {
	switch {
	case o.Eps != nil && !(*o.Eps > 0 && *o.Eps <= math.MaxFloat32):
		return fmt.Errorf("eps is %v: write a distance above 0, or leave it out to take it from the k-distance curve", *o.Eps)
	case o.MinPoints < 1:
		return fmt.Errorf("min_points is %d: write 1 or more", o.MinPoints)
	case o.MinPoints > data.Rows:
		return fmt.Errorf("min_points is %d, but there are %d rows: none could be a core", o.MinPoints, data.Rows)
	}
	// Two atlases and the words of each row, all of them distinct and cores.
	depth := min(data.Cols, sketchDepth)
	return affordable(int64(data.Rows)*int64(2*4*(data.Cols+4*depth)+64), o.free)
}

// cluster fills in all but Eps and MinPoints.
func (c *Clustering) cluster(ctx context.Context, s *dbscanStages, rows *atlas, weight []int32, d distinct, data Data) error {
	radius := rows.radius(c.Eps)
	crowd := newCrowd(rows, radius, weight, int32(c.MinPoints))
	if err := s.countAll(ctx, crowd, data.Progress); err != nil {
		return err
	}
	core := make([]bool, len(d.first)) // by distinct row
	var chosen []int32
	for place, row := range rows.order {
		core[d.of[row]] = !crowd.open(place)
	}
	for i, is := range core {
		if is {
			chosen = append(chosen, d.first[i])
		}
	}
	label := make([]int32, len(d.first))
	for i := range label {
		label[i] = noise
	}
	if len(chosen) > 0 {
		if err := c.label(ctx, s, label, crowd, chosen, d, data); err != nil {
			return err
		}
	}
	c.spread(label, core, d)
	return nil
}

// noise is the label of no cluster while they are compared; outside it is -1.
const noise = math.MaxInt32

// label finds the clusters of distinct rows.
func (c *Clustering) label(ctx context.Context, s *dbscanStages, label []int32, crowd *crowd, chosen []int32, d distinct, data Data) error {
	var err error
	if c.cores, err = newAtlas(ctx, crowd.sketcher, data.X, chosen); err != nil {
		return err
	}
	sets, err := s.connect(ctx, c.cores, crowd.radius, data.Progress)
	if err != nil {
		return err
	}
	cluster := c.number(sets, data.Rows)
	for place, row := range c.cores.order {
		label[d.of[row]] = cluster[place]
	}
	borders, err := border(ctx, crowd, c.cores, cluster, data.Progress)
	if err != nil {
		return err
	}
	for place, row := range crowd.order {
		label[d.of[row]] = min(label[d.of[row]], borders[place])
	}
	return nil
}

// number returns the cluster of each core by place: sets of cores, in the order
// of the first row that each holds.
func (c *Clustering) number(sets union, rows int) []int32 {
	place := make([]int32, rows) // of the core that a row is, +1
	for p, row := range c.cores.order {
		place[row] = int32(p) + 1
	}
	cluster, of := make([]int32, len(sets)), make([]int32, len(sets))
	for _, p := range place {
		if p == 0 {
			continue
		}
		root := sets.find(p - 1)
		if of[root] == 0 {
			c.Clusters++
			of[root] = int32(c.Clusters)
		}
		cluster[p-1] = of[root] - 1
	}
	return cluster
}

// spread gives rows what was found for the distinct ones.
func (c *Clustering) spread(label []int32, core []bool, d distinct) {
	c.Labels, c.Core = make([]int32, len(d.of)), make([]bool, len(d.of))
	for row, i := range d.of {
		c.Labels[row], c.Core[row] = label[i], core[i]
		if label[i] == noise {
			c.Labels[row] = -1
			c.Noise++
		}
		if core[i] {
			c.Cores++
		}
	}
}

// DBSCAN scores a row by its distance to the nearest core of a Clustering of the
// training rows, over eps: 0 for a core, at most 1 for what would be in a
// cluster, above 1 for noise. Fit keeps the cores.
type DBSCAN struct {
	options    DBSCANOptions
	shape      shape
	clustering Clustering
	rows       int
	cores      keptRows
}

// NewDBSCAN returns an unfitted DBSCAN.
func NewDBSCAN(o DBSCANOptions) *DBSCAN { return &DBSCAN{options: o} }

// Name is "dbscan", and after Fit what it found: "dbscan (eps 3, 12 clusters, 85.6 % noise)".
func (d *DBSCAN) Name() string {
	if d.shape.cols == 0 {
		return "dbscan"
	}
	return fmt.Sprintf("dbscan (eps %.4g, %d clusters, %.1f %% noise)",
		d.clustering.Eps, d.clustering.Clusters, 100*float64(d.clustering.Noise)/float64(d.rows))
}

// Clustering is what became of the training rows; ok is false before Fit. After
// Load it has neither Labels nor Core, which are not saved. The slices are the
// detector's own.
func (d *DBSCAN) Clustering() (c Clustering, ok bool) { return d.clustering, d.shape.cols > 0 }

// Fit clusters the rows; see Cluster. That none is a core is an error, for then
// there is nothing to be near to.
func (d *DBSCAN) Fit(ctx context.Context, data Data) error { return d.FitFrom(ctx, data, nil, nil) }

// FitFrom is Fit from where an earlier one was interrupted, between two stages.
func (d *DBSCAN) FitFrom(ctx context.Context, data Data, from *checkpoint.File, between Between) error {
	*d = DBSCAN{options: d.options}
	c, err := clusterFrom(ctx, data, d.options, from, between)
	if err == nil && c.Cores == 0 {
		err = fmt.Errorf("none of %d rows has %d rows within %.4g of it: all are noise; raise eps or lower min_points", data.Rows, c.MinPoints, c.Eps)
	}
	if err != nil {
		return fmt.Errorf("dbscan: %w", err)
	}
	d.clustering, d.rows, d.cores, d.shape = *c, data.Rows, keptRows{c.cores}, data.shape()
	return nil
}

// Score finds each row's nearest core.
func (d *DBSCAN) Score(x []float32, dst []float64) error {
	if err := d.shape.checkScore(x, dst); err != nil {
		return fmt.Errorf("dbscan: %w", err)
	}
	d.cores.nearest(x, 1, func(row int, found []neighbour, _ func(int32) []float32) {
		dst[row] = bounded(math.Sqrt(found[0].square) / d.clustering.Eps)
	})
	return nil
}

// dbscanFacts is what a DBSCAN's file says beside its options and cores.
type dbscanFacts struct {
	Eps       float64 `json:"eps"`
	MinPoints int     `json:"min_points"`
	Clusters  int     `json:"clusters"`
	Cores     int     `json:"cores"`
	Noise     int     `json:"noise"`
	Rows      int     `json:"rows"`
}

// Save keeps the cores and the figures of the clustering, not the labels.
func (d *DBSCAN) Save() (*checkpoint.File, error) {
	f, err := newState("dbscan", d.shape, d.options)
	if err != nil {
		return nil, err
	}
	c := &d.clustering
	if err := addFacts(f, dbscanFacts{c.Eps, c.MinPoints, c.Clusters, c.Cores, c.Noise, d.rows}); err != nil {
		return nil, err
	}
	f.Tensors = append(f.Tensors, d.cores.tensor("core"))
	return f, nil
}

// Load takes saved cores.
func (d *DBSCAN) Load(f *checkpoint.File) error {
	loaded := DBSCAN{}
	err := loaded.load(f)
	if err != nil {
		*d = DBSCAN{options: d.options}
		return fmt.Errorf("dbscan: %w", err)
	}
	*d = loaded
	return nil
}

func (d *DBSCAN) load(f *checkpoint.File) (err error) {
	var facts dbscanFacts
	if d.shape, err = readState(f, "dbscan", &d.options); err != nil {
		return err
	}
	if err := readFacts(f, &facts); err != nil {
		return err
	}
	if !(facts.Eps > 0) || facts.Rows <= 0 || facts.Noise < 0 || facts.Noise > facts.Rows {
		return errors.New("the file's facts are not those of a clustering")
	}
	d.clustering = Clustering{Eps: facts.Eps, MinPoints: facts.MinPoints, Clusters: facts.Clusters, Cores: facts.Cores, Noise: facts.Noise}
	d.rows = facts.Rows
	d.cores, err = readKept(f, "core", d.shape)
	return err
}
