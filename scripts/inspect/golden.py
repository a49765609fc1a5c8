"""Golden answers for data/inspect: pandas' quartiles, moments and correlations.

    python3 scripts/inspect/golden.py > data/inspect/testdata/pandas.json

Columns are float32; a missing cell is null. Where a pair has missing cells they
count as the column's mean, for Spearman as its mean rank. The tests read the
file and do not need Python.
"""
import json
import sys

import numpy as np
import pandas as pd

rng = np.random.default_rng(20173)
n = 500
base = rng.normal(size=n)
frame = pd.DataFrame({
    "destination_port": rng.choice([53, 80, 443, 65535], n),
    "flow_duration": np.round(np.exp(8 + 3 * base)),
    "flow_bytes/s": np.where(rng.random(n) < 0.1, np.nan, np.exp(rng.normal(3, 4, n) - base)),
    "init_win_bytes_forward": np.where(rng.random(n) < 0.6, -1, np.round(8192 + 500 * base)),
    "syn_flag_count": (rng.random(n) < 0.2).astype(float),
    "idle_std": np.where(base > 1, base * 1e6, 0),
}).astype(np.float32)
columns = {}
for name in frame:
    x = frame[name].astype(float)
    q = x.quantile([0, 0.25, 0.5, 0.75, 1]).tolist()
    columns[name] = {"missing": int(x.isna().sum()), "distinct": int(x.nunique()), "zeros": int((x == 0).sum()), "negatives": int((x < 0).sum()),
                     "range": dict(zip(["min", "q1", "median", "q3", "max"], q), mean=x.mean(), std=x.std(ddof=0))}
wide = frame.astype(float)
ranks = wide.rank()
pearson = wide.fillna(wide.mean()).corr()
spearman = ranks.fillna(ranks.mean()).corr()
pairs = [{"a": a, "b": b, "pearson": pearson[a][b], "spearman": spearman[a][b]} for i, a in enumerate(frame) for b in list(frame)[i + 1:]]
cells = [[None if np.isnan(v) else float(str(np.float32(v))) for v in row] for row in frame.to_numpy()]
json.dump({"pandas": pd.__version__, "numpy": np.__version__, "script": "scripts/inspect/golden.py", "names": list(frame), "cells": cells,
           "columns": columns, "pairs": pairs}, sys.stdout, separators=(",", ":"))
sys.stdout.write("\n")
