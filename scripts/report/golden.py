"""Golden answers for data/report/rank: scikit-learn's AUROC and average precision.

    python3 scripts/report/golden.py > data/report/rank/testdata/sklearn.json

Cells are float32 with many ties; a missing cell is null and is scored at the
median of the others. The tests read the file and do not need Python.
"""
import json
import sys

import numpy as np
import sklearn
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

rng = np.random.default_rng(20172)


def case(name, positives, negatives):
    positives, negatives = np.asarray(positives, np.float32), np.asarray(negatives, np.float32)
    x = np.r_[positives, negatives]
    y = np.r_[np.ones(len(positives)), np.zeros(len(negatives))]
    filled = np.where(np.isnan(x), np.float32(np.nanmedian(x.astype(float))) if not np.isnan(x).all() else 0, x)
    out = {"name": name, "positives": cells(positives), "negatives": cells(negatives), "auroc": roc_auc_score(y, filled)}
    for way, score in (("higher", filled), ("lower", -filled)):
        fpr, tpr, _ = roc_curve(y, score, drop_intermediate=False)
        found = lambda limit: int(round(tpr[fpr <= limit].max() * len(positives)))
        out[way] = {"average_precision": average_precision_score(y, score), "found_at_fpr_0.01": found(0.01), "found_at_fpr_0.001": found(0.001)}
    best = max(2 * (positives == v).sum() / ((positives == v).sum() + (negatives == v).sum() + len(positives)) for v in np.unique(x[~np.isnan(x)])) if (~np.isnan(x)).any() else 0
    missing = [np.isnan(positives).sum(), np.isnan(negatives).sum()]
    out["rule_f1"] = float(max(best, 2 * missing[0] / (missing[0] + missing[1] + len(positives))))
    return out


def cells(v):
    return [None if np.isnan(c) else float(str(np.float32(c))) for c in v]


n, p = 3000, 36
holes = rng.normal(0, 1, n)
holes[rng.random(n) < 0.2] = np.nan
cases = [
    case("counts with ties", rng.poisson(6, p).astype(float), rng.poisson(3, n).astype(float)),
    case("smaller is suspicious", rng.poisson(2, p).astype(float), rng.poisson(9, n).astype(float)),
    case("a port", np.full(p, 444.0), rng.choice([53, 80, 443, 22, 8080], n).astype(float)),
    case("holes", np.r_[rng.normal(1.5, 1, p - 6), np.full(6, np.nan)], holes),
    case("wide and continuous", np.exp(rng.normal(8, 3, p)), np.exp(rng.normal(5, 4, n))),
    case("negatives and zeros", rng.choice([-1.0, 0, 0, 255], p), rng.choice([-1.0, 0, 8192, 65535], n)),
    case("constant", np.full(p, 3.0), np.full(n, 3.0)),
    case("one positive on top", np.array([9.0]), rng.normal(0, 1, 999)),
    case("missing is the class", np.full(5, np.nan), rng.normal(0, 1, 1200)),
]
json.dump({"sklearn": sklearn.__version__, "numpy": np.__version__, "script": "scripts/report/golden.py", "cases": cases}, sys.stdout, separators=(",", ":"))
sys.stdout.write("\n")
