"""Writes train/detect/testdata/forest.json: the mean scores of scikit-learn's isolation forests on rows that both sides
make from splitmix64 in exact operations only (see dbscan.py, whose generate() this is).

Run from the root of the repository, with numpy and scikit-learn:  python3 scripts/golden/forest.py
"""
import json
import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest
from dbscan import generate

cases = []
for name, trees, samples, arguments in (
        ('256 of many', 2000, 256, dict(rows=2000, cols=6, clusters=3, spread=0.5, loud=5, grid=4096, seed=1)),
        ('few rows', 2000, 256, dict(rows=90, cols=3, clusters=2, spread=0.25, loud=20, grid=4096, seed=2)),
        ('copies', 2000, 64, dict(rows=1000, cols=4, clusters=2, spread=0.25, loud=5, grid=1, seed=3))):
    x = generate(**arguments)
    f = IsolationForest(n_estimators=trees, max_samples=min(samples, len(x)), random_state=0).fit(x)
    cases.append({'name': name, 'trees': trees, 'samples': samples, **arguments, 'scores': (-f.score_samples(x[:60])).tolist()})
golden = {'source': 'scripts/golden/forest.py', 'scikit-learn': sklearn.__version__, 'numpy': np.__version__, 'cases': cases}
with open('train/detect/testdata/forest.json', 'w') as f:
    json.dump(golden, f, allow_nan=False)
    f.write('\n')
