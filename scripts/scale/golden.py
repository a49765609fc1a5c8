"""Golden answers for data/scale: scikit-learn's imputer and scaler on hard columns.

    python3 scripts/scale/golden.py > data/scale/testdata/sklearn.json

Fits on the first 40 of 60 rows and transforms all 60. Cells are float32, given
as their shortest decimal; a missing cell is null. The tests read the file and do
not need Python.
"""
import json
import sys

import numpy as np
import sklearn
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

TRAIN = 40
rng = np.random.default_rng(20171)
n = 60
columns = {
    "wide": np.exp(rng.uniform(-20, 20, n)),
    "negative": -np.exp(rng.uniform(0, 15, n)),
    "mixed_signs": rng.normal(0, 1e4, n),
    "counts": rng.poisson(3, n).astype(float),
    "sentinel": np.where(rng.random(n) < 0.5, -1.0, 8192.0),
    "mostly_zero": np.where(rng.random(n) < 0.9, 0.0, 1e9),
    "holes": np.where(rng.random(n) < 0.3, np.nan, rng.normal(100, 15, n)),
    "holes_in_an_even_count": np.r_[np.nan, np.nan, np.arange(38.0), np.nan, rng.normal(0, 50, n - 41)],
    "nearly_constant": 1e6 + rng.integers(0, 2, n),
    "tiny": rng.normal(0, 1e-9, n),
    "huge_beside_tiny": np.where(rng.random(n) < 0.5, 1e9, 1e-9),
    "constant": np.full(n, 7.0),
    "constant_in_train": np.r_[np.full(TRAIN, 3.0), rng.normal(3, 1, n - TRAIN)],
}
X = np.stack(list(columns.values()), axis=1).astype(np.float32)


def text(v):
    return None if np.isnan(v) else float(str(np.float32(v)))


def signed_log1p(v):
    return (np.sign(v) * np.log1p(np.abs(v))).astype(np.float32)


out = {
    "sklearn": sklearn.__version__, "numpy": np.__version__, "script": "scripts/scale/golden.py",
    "train_rows": TRAIN, "columns": list(columns), "features": [[text(v) for v in row] for row in X], "funcs": {},
}
imputer = SimpleImputer(strategy="median").fit(X[:TRAIN].astype(np.float64))
filled = imputer.transform(X.astype(np.float64)).astype(np.float32).astype(np.float64)
for name, f in {"signed_log1p": signed_log1p, "identity": lambda v: v}.items():
    F = f(filled).astype(np.float64)
    scaler = StandardScaler().fit(F[:TRAIN])
    out["funcs"][name] = {
        "fill": imputer.statistics_.tolist(),
        "mean": scaler.mean_.tolist(),
        "std": np.sqrt(scaler.var_).tolist(),
        "scaled": scaler.transform(F).tolist(),
    }
json.dump(out, sys.stdout, indent=None, separators=(",", ":"))
sys.stdout.write("\n")
