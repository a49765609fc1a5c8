"""Writes train/detect/testdata/dbscan.json: what scikit-learn's DBSCAN makes of six sets. Small ones are stored, large
ones are made by both sides from splitmix64 in exact operations only.

Run from the root of the repository, with numpy and scikit-learn:  python3 scripts/golden/dbscan.py
"""
import json
import numpy as np
import sklearn
from sklearn.cluster import DBSCAN


def splitmix(seed, n):
    with np.errstate(over='ignore'):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def normal(seed, *shape):
    """Sums of four uniforms, multiples of 2^-12 in [-8, 8)."""
    u = (splitmix(seed, int(np.prod(shape)) * 4) >> np.uint64(50)).astype(np.int64).reshape(-1, 4).sum(1)
    return ((u - 32768) / 4096.0).reshape(shape)


def generate(rows, cols, clusters, spread, loud, grid, seed):
    """Clusters around whole centres, loud rows in a hundred anywhere, all rounded down to the grid."""
    centre = np.floor(normal(seed + 1, clusters, cols) * 2)
    label = (splitmix(seed + 2, rows) % np.uint64(clusters)).astype(int)
    x = normal(seed + 3, rows, cols) * spread + centre[label]
    anywhere = splitmix(seed + 4, rows) % np.uint64(100) < np.uint64(loud)
    x[anywhere] = normal(seed + 5, rows, cols)[anywhere] * 2
    return (np.floor(x * grid) / grid).astype(np.float32)


def chains():
    """Links exactly eps apart in 2-D: two chains, a row that both ends reach, one that none does."""
    rows = [(i, 0) for i in range(40)] + [(i + 41, 0) for i in range(1, 30)] + [(40, 0), (40, 1), (-3, 2), (20, 5)]
    rows += [(10 + .5 * i, 3) for i in range(30)]
    order = np.argsort(splitmix(7, len(rows)), kind='stable')
    return np.array(rows, np.float32)[order]


def case(name, x, eps, min_points, **made):
    # The matrix goes in as float64, as it would from a file: float32 in is float64 inside all the same.
    fitted = DBSCAN(eps=eps, min_samples=min_points).fit(x)
    core = np.zeros(len(x), int)
    core[fitted.core_sample_indices_] = 1
    labels = fitted.labels_
    border = int(((labels >= 0) & (core == 0)).sum())
    print(name, x.shape, 'clusters', labels.max() + 1, 'noise', (labels < 0).sum(), 'border', border,
          'distinct', len(np.unique(x, axis=0)))
    stored = {} if made else {'x': x.ravel().tolist()}
    return {'name': name, 'rows': x.shape[0], 'cols': x.shape[1], 'eps': eps, 'min_points': min_points, **stored, **made,
            'labels': labels.tolist(), 'core': core.tolist()}


def made(name, eps, min_points, **arguments):
    return case(name, generate(**arguments), eps, min_points, **arguments)


def main():
    hand = np.array([0, 1, 2, 3, 5, 5, 5, 6.5, 8, 9, 10, 11, 20, 22, 24, 24, 40], np.float32)[:, None]
    golden = {'source': 'scripts/golden/dbscan.py', 'scikit-learn': sklearn.__version__, 'numpy': np.__version__, 'cases': [
        case('by hand, 1-D', hand, 1.5, 3),
        case('chains', chains(), 1.0, 3),
        made('noise', 0.5, 8, rows=3000, cols=2, clusters=7, spread=0.125, loud=40, grid=4096, seed=1),
        made('duplicates', 1.0, 12, rows=4000, cols=3, clusters=5, spread=0.5, loud=10, grid=2, seed=2),
        made('17-D', 3.0, 6, rows=2000, cols=17, clusters=6, spread=0.25, loud=20, grid=8, seed=3),
        made('78-D', 6.0, 10, rows=2500, cols=78, clusters=9, spread=0.25, loud=15, grid=64, seed=4),
    ]}
    with open('train/detect/testdata/dbscan.json', 'w') as f:
        json.dump(golden, f, allow_nan=False)
        f.write('\n')


if __name__ == '__main__':
    main()
