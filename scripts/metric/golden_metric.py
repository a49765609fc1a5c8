"""Writes train/metric/testdata/golden.json: what scikit-learn and scipy make of the cases that the tests of
train/metric run. The large cases are not stored: both sides make them from splitmix64, in exact operations only.

Run from the root of the repository, with numpy, scipy and scikit-learn:  python3 scripts/metric/golden_metric.py
"""
import json
import warnings
import numpy as np
import scipy
import scipy.stats
import sklearn
from sklearn.metrics import (average_precision_score, confusion_matrix, f1_score, fbeta_score, matthews_corrcoef,
                             precision_recall_curve, precision_score, recall_score, roc_auc_score, roc_curve)

warnings.filterwarnings('error')
LIMITS = (1e-2, 1e-3, 1e-4)


def splitmix(seed, n):
    with np.errstate(over='ignore'):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(seed, n):
    return (splitmix(seed, n) >> np.uint64(11)).astype(float) * 2.0 ** -53


def generate(rows, seed, per_million, levels):
    """Scores in [0, 1), those of positives pulled towards 1; levels > 0 rounds them down to so many values."""
    positive = splitmix(seed, rows) % np.uint64(1000000) < np.uint64(per_million)
    u = uniform(seed + 1, rows)
    scores = np.where(positive, 1 - (1 - u) * (1 - u) * (1 - u), u)
    if levels:
        scores = np.floor(scores * levels)
    return scores, positive


def peer_recall(y, s, limit):
    """As quality scripts commonly do it: positives above the order statistic of the negatives."""
    neg = np.sort(s[~y])
    return (s[y] > neg[int(np.ceil((1 - limit) * len(neg))) - 1]).mean()


def roc_recall(y, s, limit):
    fpr, tpr, _ = roc_curve(y, s, drop_intermediate=False)
    return tpr[fpr <= limit].max()


def ranked(y, s):
    out = {'positives': int(y.sum()), 'negatives': int((~y).sum()),
           'average_precision': average_precision_score(y, s), 'auroc': roc_auc_score(y, s)}
    out['recall_at_fpr'] = [roc_recall(y, s, x) for x in LIMITS]
    out['recall_at_fpr_order_statistic'] = [peer_recall(y, s, x) for x in LIMITS]
    return out


def at_threshold(y, s, t):
    v = s >= t
    tn, fp, fn, tp = (int(x) for x in confusion_matrix(y, v, labels=[False, True]).ravel())
    return {'threshold': t, 'tp': tp, 'fp': fp, 'fn': fn, 'tn': tn, 'precision': precision_score(y, v),
            'recall': recall_score(y, v), 'f1': f1_score(y, v), 'f2': fbeta_score(y, v, beta=2),
            'mcc': matthews_corrcoef(y, v)}


def best(y, s, figure):
    """The highest of the thresholds with the best figure, among the scores."""
    t = np.unique(s)[::-1]
    return t[int(np.argmax([figure(y, s >= x) for x in t]))]


def curves(y, s):
    fpr, tpr, t = roc_curve(y, s, drop_intermediate=False)
    p, r, u = precision_recall_curve(y, s)
    return {'roc': {'false_positive_rate': list(fpr[1:]), 'recall': list(tpr[1:]), 'threshold': list(t[1:])},
            'pr': {'recall': list(r[:-1][::-1]), 'precision': list(p[:-1][::-1]), 'threshold': list(u[::-1])}}


def stored_cases():
    rng = np.random.default_rng(1)
    yield 'one of each', [1.0, 0.0], [1, 0]
    yield 'one of each, reversed', [0.0, 1.0], [1, 0]
    yield 'all equal', [3.0] * 9, [1, 0, 0, 1, 0, 0, 0, 0, 0]
    yield 'textbook', [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]
    yield 'ties across truth', [2, 2, 2, 1, 1, 0, 0, 0, 3, 3], [1, 0, 0, 1, 0, 0, 0, 1, 1, 0]
    yield 'single positive', list(np.round(rng.normal(size=40), 2)), [0] * 17 + [1] + [0] * 22
    yield 'single negative', list(np.round(rng.normal(size=12), 2)), [1] * 5 + [0] + [1] * 6
    yield 'negative scores and wide range', [-1e9, -1.5, -1e-9, 0.0, 1e-300, 1e-9, 7.0, 1e9], [0, 1, 0, 1, 0, 0, 1, 1]
    y = rng.random(200) < .2
    yield 'two hundred, three levels', list((rng.integers(0, 3, 200) + y).astype(float)), list(y)


def stored():
    for name, s, y in stored_cases():
        s, y = np.array(s, float), np.array(y, bool)
        case = {'name': name, 'scores': list(s), 'positive': [bool(x) for x in y], **ranked(y, s), **curves(y, s)}
        case['best_f1'] = best(y, s, f1_score)
        case['best_f2'] = best(y, s, lambda a, b: fbeta_score(a, b, beta=2))
        case['best_mcc'] = best(y, s, matthews_corrcoef)
        case['at'] = [at_threshold(y, s, t) for t in np.unique(s)]
        yield case


def generated():
    for name, rows, seed, per_million, levels in (('rare', 100000, 11, 500, 0), ('rare, ties', 100000, 12, 500, 200),
                                                  ('common', 100003, 13, 200000, 0), ('common, ties', 99989, 14, 200000, 37)):
        s, y = generate(rows, seed, per_million, levels)
        t = np.sort(s)[int(rows * .99)]
        yield {'name': name, 'rows': rows, 'seed': seed, 'per_million': per_million, 'levels': levels, **ranked(y, s),
               'at': [at_threshold(y, s, t)]}


def proportions():
    for k, n in ((0, 1), (1, 1), (0, 6), (6, 6), (3, 6), (1, 12), (11, 12), (17, 36), (0, 20000), (20, 20000),
                 (1, 818484), (818484, 818484), (400000, 818484)):
        for level in (.5, .95, .975):
            a = (1 - level) / 2
            yield {'k': k, 'n': n, 'level': level, 'low': scipy.stats.beta.ppf(a, k, n - k + 1) if k else 0.0,
                   'high': scipy.stats.beta.ppf(1 - a, k + 1, n - k) if k < n else 1.0}


def restated():
    """Precision at a prevalence, at the corners of two Clopper-Pearson intervals of 97.5 %."""
    for tp, fp, fn, tn in ((24, 10, 12, 9954), (6, 0, 0, 163570), (0, 3, 5, 100), (1, 1, 0, 0)):
        ends = [[scipy.stats.beta.ppf(.0125, k, n - k + 1) if k else 0.0, scipy.stats.beta.ppf(.9875, k + 1, n - k) if k < n else 1.0]
                for k, n in ((tp, tp + fn), (fp, fp + tn))]
        for p in (1e-2, 1e-3):
            value, low, high = (p * r / (p * r + (1 - p) * f) for r, f in (
                (tp / (tp + fn), fp / (fp + tn)), (ends[0][0], ends[1][1]), (ends[0][1], ends[1][0])))
            yield {'tp': tp, 'fp': fp, 'fn': fn, 'tn': tn, 'prevalence': p, 'value': value, 'low': low, 'high': high}


def bootstrap(resamples=4000):
    """Quantiles of the average precision over stratified resamples, and the spread of each by splitting the draws."""
    rng = np.random.default_rng(2)
    for rows, seed, per_million, levels in ((3000, 21, 4000, 0), (3000, 22, 100000, 25), (3000, 23, 100000, 0)):
        s, y = generate(rows, seed, per_million, levels)
        pos, neg = np.flatnonzero(y), np.flatnonzero(~y)
        ap = []
        for _ in range(resamples):
            w = np.bincount(np.r_[rng.choice(pos, len(pos)), rng.choice(neg, len(neg))], minlength=rows)
            ap.append(average_precision_score(y, s, sample_weight=w))
        parts = np.quantile(np.array(ap).reshape(20, -1), (.025, .975), axis=1)
        low, high = np.quantile(ap, (.025, .975))
        error = parts.std(axis=1, ddof=1) / np.sqrt(20)
        yield {'rows': rows, 'seed': seed, 'per_million': per_million, 'levels': levels, 'resamples': resamples,
               'low': low, 'high': high, 'low_error': error[0], 'high_error': error[1]}


def classes(rows=2000, k=5, seed=31):
    """Class 3 never occurs; scores are whole numbers, so that verdicts tie."""
    labels = (splitmix(seed, rows) % np.uint64(k)).astype(int)
    labels[labels == 3] = 0
    scores = np.floor(uniform(seed + 1, rows * k) * 16).reshape(rows, k)
    scores[np.arange(rows), labels] += 6
    verdict = scores.argmax(1)
    present = [j for j in range(k) if (labels == j).any()]
    binary = {j: labels == j for j in present}
    return {'rows': rows, 'classes': k, 'seed': seed, 'present': present,
            'average_precision': [average_precision_score(binary[j], scores[:, j]) for j in present],
            'auroc': [roc_auc_score(binary[j], scores[:, j]) for j in present],
            'precision': list(precision_score(labels, verdict, labels=present, average=None)),
            'recall': list(recall_score(labels, verdict, labels=present, average=None)),
            'f1': list(f1_score(labels, verdict, labels=present, average=None)),
            'macro_f1': f1_score(labels, verdict, labels=present, average='macro'),
            'confusion': confusion_matrix(labels, verdict, labels=range(k)).tolist()}


def plain(x):
    if isinstance(x, (np.floating, np.integer)):
        return x.item()
    raise TypeError(type(x))


golden = {'source': 'scripts/metric/golden_metric.py', 'scikit-learn': sklearn.__version__, 'scipy': scipy.__version__,
          'numpy': np.__version__, 'stored': list(stored()), 'generated': list(generated()),
          'proportions': list(proportions()), 'restated': list(restated()), 'bootstrap': list(bootstrap()), 'classes': classes()}
with open('train/metric/testdata/golden.json', 'w') as f:
    json.dump(golden, f, default=plain, allow_nan=False)
    f.write('\n')
