"""Writes train/detect/testdata/golden.json: scikit-learn's balanced logistic regression and the best single column
by average_precision_score, on cases that both sides make from splitmix64 in exact operations only.

Run from the root of the repository, with numpy and scikit-learn:  python3 scripts/metric/golden_detect.py
"""
import json
import warnings
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

warnings.filterwarnings('error')


def splitmix(seed, n):
    with np.errstate(over='ignore'):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def generate(rows, cols, per_million, shift, scale, seed):
    """Sums of four uniforms in 2^-16, so that nothing rounds. Every third column from 1 moves with the truth, down in
    every sixth; the last is constant, the one before it repeats the first."""
    positive = splitmix(seed, rows) % np.uint64(1000000) < np.uint64(per_million)
    u = (splitmix(seed + 1, rows * cols * 4) >> np.uint64(48)).astype(np.int64).reshape(rows, cols, 4).sum(2)
    x = (u - 131072) / 65536.0
    for j in range(1, cols, 3):
        x[positive, j] += shift if j % 6 == 1 else -shift
    if cols > 3:
        x[:, cols - 1] = 0.5
        x[:, cols - 2] = x[:, 0]
    return x.astype(np.float32).astype(float) * scale, positive


def cases():
    for name, rows, cols, per_million, shift, scale, seed in (
            ('plain', 400, 3, 300000, 0.5, 1, 1), ('rare', 3000, 9, 5000, 0.75, 1, 2), ('separable', 500, 7, 100000, 4, 1, 3),
            ('no signal', 777, 12, 200000, 0, 1, 4), ('single column', 300, 1, 400000, 0, 1, 5),
            ('large values', 600, 8, 50000, 1, 64, 6)):
        x, y = generate(rows, cols, per_million, shift, scale, seed)
        fitted = LogisticRegression(class_weight='balanced', solver='newton-cholesky', tol=1e-10, max_iter=1000).fit(x, y)
        columns = [(average_precision_score(y, s * x[:, j]), roc_auc_score(y, s * x[:, j]), -j, s)
                   for j in range(cols) for s in (1, -1)]
        ap, auroc, column, sign = max(columns)
        yield {'name': name, 'rows': rows, 'cols': cols, 'per_million': per_million, 'shift': shift, 'scale': scale,
               'seed': seed, 'coefficients': fitted.coef_[0].tolist(), 'intercept': fitted.intercept_[0],
               'decision': fitted.decision_function(x[:40]).tolist(),
               'best': {'column': -column, 'sign': sign, 'average_precision': ap, 'auroc': auroc}}


golden = {'source': 'scripts/metric/golden_detect.py', 'scikit-learn': sklearn.__version__, 'numpy': np.__version__,
          'cases': list(cases())}
with open('train/detect/testdata/golden.json', 'w') as f:
    json.dump(golden, f, allow_nan=False)
    f.write('\n')
