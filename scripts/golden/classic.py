"""Writes train/detect/testdata/classic.json: scikit-learn's PCA, K-Means and Gaussian mixtures on rows that both sides
make from splitmix64 in exact operations only, from starts that both sides share.

Run from the root of the repository, with numpy and scikit-learn:  python3 scripts/golden/classic.py
"""
import json
import warnings
import numpy as np
import sklearn
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

warnings.filterwarnings('error')
warnings.filterwarnings('ignore', category=ConvergenceWarning)  # fixed numbers of iterations are asked for


def splitmix(seed, n):
    with np.errstate(over='ignore'):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def normal(seed, *shape):
    """Sums of four uniforms, multiples of 2^-14 in [-8, 8)."""
    u = (splitmix(seed, int(np.prod(shape)) * 4) >> np.uint64(50)).astype(np.int64).reshape(-1, 4).sum(1)
    return ((u - 32768) / 16384.0 * 4).reshape(shape)


def generate(rows, cols, factors, clusters, offset, seed):
    """Clusters around whole centres, some factors of falling weight, noise. All are multiples of 2^-40 below 2^13, so
    that nothing rounds before the last step to float32."""
    loading = normal(seed + 1, factors, cols) * 0.25 * (2.0 ** -np.arange(factors))[:, None]
    centre = np.floor(normal(seed + 2, clusters, cols) * 4)
    label = (splitmix(seed + 3, rows) % np.uint64(clusters)).astype(int)
    x = normal(seed + 4, rows, factors) @ loading + centre[label] + normal(seed + 5, rows, cols) * 0.0625 + offset
    return x.astype(np.float32)


def pca(x, components):
    p = PCA(components, svd_solver='full').fit(x)
    left = ((x - p.inverse_transform(p.transform(x))) ** 2).sum(1)
    whitened = (p.transform(x) / np.sqrt(p.explained_variance_))
    return {'kept': components, 'components': p.components_.ravel().tolist(), 'variance': p.explained_variance_.tolist(),
            'ratio': p.explained_variance_ratio_.tolist(), 'reconstruction': left[:20].tolist(),
            'mahalanobis': (whitened ** 2).sum(1)[:20].tolist(),
            'kept_at_90': int(PCA(0.9, svd_solver='full').fit(x).n_components_)}


def kmeans(x, start):
    k = KMeans(len(start), init=x[start], n_init=1, max_iter=300, tol=0, algorithm='lloyd').fit(x)
    return {'start': start, 'inertia': k.inertia_, 'labels': k.labels_[:200].tolist(),
            'distance': k.transform(x).min(1)[:20].tolist()}


class Started(GaussianMixture):
    """Starts from the rows nearest to each of some rows."""

    def _initialize_parameters(self, x, random_state):
        distance = ((x[:, None, :] - x[self.start][None]) ** 2).sum(2)
        self._initialize(x, np.eye(len(self.start))[distance.argmin(1)])


def gmm(x, start):
    out = {}
    for kind in ('full', 'tied', 'diag', 'spherical'):
        g = Started(len(start), covariance_type=kind, max_iter=15, tol=0, reg_covar=1e-3)
        g.start = start
        g.fit(x)
        out[kind] = {'score': g.score(x), 'rows': g.score_samples(x)[:20].tolist(), 'bic': g.bic(x), 'aic': g.aic(x),
                     'weights': g.weights_.tolist(), 'means': g.means_.ravel().tolist()}
    return {'start': start, 'iterations': 15, 'floor': 1e-3, 'kinds': out}


def cases():
    for name, rows, cols, factors, clusters, offset, seed, components in (
            ('narrow', 300, 2, 1, 3, 0, 1, 1), ('plain', 1000, 9, 4, 4, 0, 2, 3), ('one cluster', 500, 6, 5, 1, 0, 3, 4),
            ('far from the origin', 800, 7, 3, 3, 1000, 4, 2), ('wide', 900, 40, 6, 6, 0, 5, 5)):
        x = generate(rows, cols, factors, clusters, offset, seed).astype(float)
        start = [i * rows // (clusters + 1) for i in range(clusters + 1)]
        yield {'name': name, 'rows': rows, 'cols': cols, 'factors': factors, 'clusters': clusters, 'offset': offset,
               'seed': seed, 'first': x[0].tolist(), 'pca': pca(x, components), 'kmeans': kmeans(x, start),
               'gmm': gmm(x, start)}


golden = {'source': 'scripts/golden/classic.py', 'scikit-learn': sklearn.__version__, 'numpy': np.__version__,
          'cases': list(cases())}
with open('train/detect/testdata/classic.json', 'w') as f:
    json.dump(golden, f, allow_nan=False)
    f.write('\n')
