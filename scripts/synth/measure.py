"""Measures the tables behind data/synth: shares, quantiles and rank correlations of real flows, never a row of them.

    /usr/bin/python3 scripts/synth/measure.py DATA data/synth/tables.json

DATA is a folder with cicids2017-mini/ (79-column form: BENIGN and Infiltration are measured there) and corrected/
(91-column form: the other attacks). Needs Debian's python3-pandas; building or testing flowbench does not need it.

A class is cut into clusters (protocol, service, packet pattern, duration), and each cluster has for every base column
either its common values with their shares or quantiles, and the correlation of the columns' normal scores. No row can
be read back: a common value is one that several rows share; extremes are rounded to two digits; classes below 100 rows
have at most 9 Harrell-Davis quantiles (weighted means of all their values), below 30 rows 4, and shrunken correlations;
and what fewer than 10 rows have is left out.
"""
import json
import os
import sys

import numpy as np
import pandas as pd
from scipy.cluster.vq import kmeans2
from scipy.spatial import cKDTree
from scipy.special import betainc, ndtri

from base import COLUMNS, base, read

CLUSTER_ROWS = 200   # a cluster of BENIGN has at least as many rows
ATTACK_ROWS = 800    # a cluster of an attack
PART_ROWS = 150      # a cluster of what is left over is parted into parts of about as many
RAREST = 50          # rows of the smallest cluster of BENIGN
PARTED_BY = ['duration', 'nf', 'nb', 'fwd_max', 'fwd_min', 'bwd_max', 'bwd_min', 'fwd_window', 'bwd_window', 'gap_min',
             'fwd_gap_total', 'bwd_gap_total', 'flags', 'idle']
TINY = 100           # rows of a cluster, or of one in which a column is defined: below it a few smoothed quantiles,
FEWEST = 10          # below it nothing at all
ATOMS = 40           # most common values of one column in one cluster
CODES = {'pair', 'fwd_segment', 'flags', 'idle', 'fwd_window', 'fwd_same', 'bwd_same'}   # codes, not amounts: always by shares, never interpolated
STEP_SHARE = .05     # a value that as large a share of a column's rows has is kept as it is
SCALE = 1e3          # quantiles are kept as whole thousandths
# Probabilities of the quantiles, by the number of rows. The first and the last of the largest grid stand for the extremes.
GRIDS = {
    'large': [.0, .01, .04, .1, .17, .25, .33, .41, .5, .59, .67, .75, .83, .9, .96, .99, 1],
    'middle': [.0, .02, .1, .2, .3, .4, .5, .6, .7, .8, .9, .98, 1],
    'small': [.02, .08, .2, .35, .5, .65, .8, .92, .98],
    'tiny': [.12, .37, .63, .88],
}
STEPS = 45           # correlations are kept as one letter each, in steps of 1/45 from -1
FIRST_LETTER = 35    # '#'
EXTREME_Z = 3.5      # where the extremes of a large cluster sit on the normal scale


def grid_of(rows):
    return 'large' if rows >= 1000 else 'middle' if rows >= 200 else 'small' if rows >= 30 else 'tiny'


def knots(name):
    return [max(-EXTREME_Z, min(EXTREME_Z, float(ndtri(p)))) for p in GRIDS[name]]


# Clusters -----------------------------------------------------------------------------------------------------------

SERVICES = [('dns', {53}), ('https', {443}), ('http', {80}), ('ntp', {123}), ('netbios', {137, 138, 139}),
            ('kerberos', {88}), ('directory', {389, 3268, 135, 445, 49666, 49671}), ('login', {21, 22}), ('zero', {0})]


def service(port):
    for name, ports in SERVICES:
        if port in ports:
            return name
    return 'low' if port < 1024 else 'middle' if port < 30000 else 'high'


def pattern(nf, nb):
    n = nf + nb
    return np.select([(nf == 1) & (nb == 1), (nf == 2) & (nb == 0), (nf == 1) & (nb == 2), (nf == 2) & (nb == 1), (nf == 2) & (nb == 2), nb == 0,
                      n <= 6, n <= 10, n <= 16, n <= 28, n <= 60, n <= 300],
                     ['1-1', '2-0', '1-2', '2-1', '2-2', 'n-0', 'to6', 'to10', 'to16', 'to28', 'to60', 'to300'], 'more')


def regime(time):
    return np.select([time < 1e3, time < 1e5, time < 1e6, time < 5e6, time < 2e7, time < 6e7, time < 1.1e8],
                     ['1ms', '100ms', '1s', '5s', '20s', '60s', '110s'], '120s')


KINDS = ['bulk', 'beacon', 'leftover']


def infiltration_kind(packets):
    """Bulk transfers, the beacons between them, and short pieces."""
    return np.select([packets > 300, packets > 12], KINDS[:2], KINDS[2])


def cells(d, label):
    """Names of the cluster of each row: the finest level that holds CLUSTER_ROWS rows."""
    nf, nb = d['nf'].to_numpy(), d['nb'].to_numpy()
    if label == 'Infiltration':
        return infiltration_kind(nf + nb)
    # The smallest TCP header tells systems apart, and with them windows and options.
    protocol = np.select([d['fwd_window'] < 0, d['fwd_segment'] == 20, d['fwd_segment'] == 32], ['udp', 'tcp-20', 'tcp-32'], 'tcp')
    services = d['port'].map(service).to_numpy() if label == 'BENIGN' else np.full(len(d), 'any')
    patterns, regimes = pattern(nf, nb), regime(d['duration'].to_numpy())
    levels = [[protocol, services, patterns, regimes], [protocol, services, patterns], [protocol, patterns, regimes],
              [protocol, patterns], [protocol], []]
    name = np.full(len(d), '', dtype=object)
    enough = CLUSTER_ROWS if label == 'BENIGN' else ATTACK_ROWS
    for level in levels:
        free = name == ''
        keys = np.array([' '.join(parts) for parts in zip(*level)] if level else ['rest'] * len(d), dtype=object)
        counts = pd.Series(keys[free]).value_counts()
        for key, count in counts.items():
            if count >= enough or not level:
                here = np.flatnonzero(free & (keys == key))
                name[here] = parted(d, here, key) if len(level) < 4 and len(here) >= 2 * PART_ROWS and label == 'BENIGN' else key
    return name


def parted(d, rows, key):
    """A cluster that gathers what is rare, parted by k-means: services and patterns mix in it."""
    x = d.iloc[rows][PARTED_BY].fillna(0)
    x = np.sign(x) * np.log1p(x.abs())
    x = ((x - x.mean()) / (x.std() + 1e-9)).to_numpy()
    part = kmeans2(x, min(6, len(rows) // PART_ROWS), seed=1, minit='++')[1]
    return ['%s part %d' % (key, p) for p in part]


# Tables -------------------------------------------------------------------------------------------------------------

def harrell_davis(values, p):
    """Harrell and Davis 1982: a quantile as a weighted mean of all order statistics."""
    v, n = np.sort(values), len(values)
    edges = betainc((n + 1) * p, (n + 1) * (1 - p), np.arange(n + 1) / n)
    return float(np.diff(edges) @ v)


def two_digits(v):
    return float('%.1e' % v)


def common_values(values, tiny):
    count = pd.Series(values).value_counts()
    return count[count >= max(3 if tiny else 5, .001 * len(values))].head(ATOMS)


def shares(values, tiny, code):
    """Common values and their shares, or None when they leave out too many rows."""
    count = common_values(values, tiny)
    if code and len(count) == 0:
        count = pd.Series(values).value_counts().head(1)
    if not code and count.sum() < (.93 if tiny else .97) * len(values):
        return None
    return (count / count.sum()).sort_index()


def smoothed(v, values, kind, p):
    """A Harrell-Davis quantile; one that falls beside a common value of a column of whole numbers is that value."""
    q = harrell_davis(v, p)
    for c in common_values(values, True).index:
        c = np.log1p(max(c, 0)) if kind == 'log' else c
        if abs(q - c) <= .05 * max(1, abs(c)):
            return c
    return q


def table(values, column, kind):
    """One column of one cluster, as data/synth reads it, and whether it varies."""
    values = values[np.isfinite(values)]
    tiny = len(values) < TINY
    if len(values) < FEWEST:
        return {'at': [0]}, False
    common = shares(values, tiny, column in CODES)
    if common is not None:
        at = [int(v) if v == int(v) else round(float(v), 4) for v in common.index]
        if len(at) == 1:
            return {'at': at}, False
        return {'at': at, 'z': [round(float(z) * 1000) for z in ndtri(common.cumsum().to_numpy()[:-1])]}, True
    v = np.log1p(np.maximum(values, 0)) if kind == 'log' else values
    if tiny:
        name = grid_of(len(values))
        return {'grid': name, 'q': whole_thousandths([smoothed(v, values, kind, p) for p in GRIDS[name]])}, True
    steps = pd.Series(v).value_counts()
    steps = steps[steps >= max(8, STEP_SHARE * len(v))].sort_index()
    if len(steps) == 0:
        return {'grid': grid_of(len(v)), 'q': whole_thousandths(quantiles(v, kind, GRIDS[grid_of(len(v))]))}, True
    return stepped(v, kind, steps), True


def quantiles(v, kind, levels):
    """Quantiles; the extremes as two digits."""
    q = [float(x) for x in np.quantile(v, levels)]
    q[0], q[-1] = (coarse(x, kind) for x in (q[0], q[-1]))
    return np.maximum.accumulate([q[0]] + [max(x, q[0]) for x in q[1:]])


def coarse(x, kind):
    if kind == 'log':
        return float(np.log1p(two_digits(np.expm1(x))))
    return two_digits(x) if abs(x) > 1.5 else round(x, 2)


def stepped(v, kind, steps):
    """A marginal with flat steps, at values that many rows share, and quantiles of the rows between two steps."""
    v = np.sort(v)
    p, q = [], []
    edges = [-np.inf, *steps.index, np.inf]
    for low, high in zip(edges, edges[1:]):
        if np.isfinite(low):
            p += [(v < low).mean(), (v <= low).mean()]
            q += [low, low]
        between = v[(v > low) & (v < high)]
        if len(between) < 5:
            continue
        start, share = (v <= low).mean(), len(between) / len(v)
        levels = np.linspace(0, 1, 2 + min(6, int(share * 9), len(between) // 12))
        p += list(start + levels * share)
        q += list(quantiles(between, kind, levels))
    z = [round(float(np.clip(ndtri(x), -EXTREME_Z, EXTREME_Z)) * 1000) for x in p]
    return {'z': z, 'q': whole_thousandths(np.maximum.accumulate(q))}


def whole_thousandths(q):
    return [int(x) for x in np.maximum.accumulate([round(float(x) * SCALE) for x in q])]


def normal_scores(values):
    ranks = pd.Series(values).rank(method='average')
    return ndtri(((ranks - .5) / ranks.count()).to_numpy())


def correlation(scores, rows):
    """Correlation of the normal scores, pairwise, shrunk in small classes, made positive definite as it is printed."""
    r = pd.DataFrame(scores).corr(min_periods=max(8, min(30, rows // 2))).to_numpy().copy()
    r[~np.isfinite(r)] = 0
    r *= rows / (rows + (8 if rows < TINY else 2))
    np.fill_diagonal(r, 1)
    least = .02
    while True:
        w, v = np.linalg.eigh(r)
        fixed = (v * np.maximum(w, least)) @ v.T
        scale = np.sqrt(np.diag(fixed))
        fixed = np.round(fixed / scale[:, None] / scale[None, :] * STEPS) / STEPS
        if np.linalg.eigvalsh(fixed)[0] > .003:
            return fixed
        least += .01


def alike(scores, r):
    """Share of rows that resemble another more than chance explains: those with a neighbour nearer than all but 5 % of
    the rows of a Gaussian copula with the same correlation and marginals have. Neighbours are sought among 2,000
    rows in the order of the file, where flows of one session stand together."""
    real = scores[:2000]
    if len(real) < TINY:
        return 0
    known = np.isfinite(real)
    drawn = np.random.default_rng(1).multivariate_normal(np.zeros(len(r)), r, len(real), check_valid='ignore')
    for j in range(len(r)):  # the same values in every column, undefined ones in the same rows
        rows = np.flatnonzero(known[:, j])
        drawn[rows[np.argsort(drawn[rows, j])], j] = np.sort(real[rows, j])
    nearest = [cKDTree(np.where(known, x, 0)).query(np.where(known, x, 0), k=2)[0][:, 1] for x in (real, drawn)]
    return round(float(np.clip((np.mean(nearest[0] <= np.quantile(nearest[1], .05)) - .05) / .95, 0, 1)), 2)


def ports(d):
    """Common ports with their shares, and the range of the others."""
    count = d['port'].value_counts()
    common = count[count >= max(5, .01 * len(d))].head(24).sort_index()
    others = d['port'][~d['port'].isin(common.index)]
    spread = [int(two_digits(max(1, others.quantile(.02)))), int(two_digits(max(2, others.quantile(.98))))] if len(others) else [1024, 60000]
    return {'at': [int(p) for p in common.index], 'per_mille': [round(float(c) / len(d) * 1000) for c in common], 'others': spread}


def cluster(d, name):
    """Constant columns by their value (0 where another takes its place), the others by marginals, in the same order."""
    constant, marginals, varying, scores = [], [], [], []
    for i, (column, kind) in enumerate(COLUMNS.items()):
        t, varies = table(d[column].to_numpy(float), column, kind)
        constant.append(0 if varies else t['at'][0])
        if varies:
            varying.append(i)
            marginals.append(t)
            scores.append(normal_scores(d[column].to_numpy(float)))
    out = {'name': name, 'ports': ports(d), 'constant': constant, 'varying': varying, 'marginals': marginals, 'alike': 0, 'correlation': []}
    if len(varying) > 1:
        r = correlation(np.array(scores).T, len(d))
        out['alike'] = alike(np.array(scores).T, r)
        out['correlation'] = [''.join(chr(FIRST_LETTER + round((float(x) + 1) * STEPS)) for x in r[i, :i]) for i in range(1, len(varying))]
    return out


def measured_class(d, label):
    names = cells(d, label)
    if label == 'Infiltration':  # too few rows for a table: data/synth draws leftovers as benign traffic leaves them
        d, names = d[names != 'leftover'].reset_index(drop=True), names[names != 'leftover']
    elif label == 'BENIGN':      # what is rarer than that stays out
        rare = pd.Series(names).groupby(names).transform('size').to_numpy() < RAREST
        d, names = d[~rare].reset_index(drop=True), names[~rare]
    order = pd.Series(names).value_counts()
    clusters = [cluster(d[names == n], n) for n in order.index]
    files = sorted(d['file'].unique())
    mix = {'': [int(c) for c in order]}
    if label == 'BENIGN':
        for f in files:
            counts = pd.Series(names[(d['file'] == f).to_numpy()]).value_counts()
            mix[f] = [int(counts.get(n, 0)) for n in order.index]
    return {'label': label, 'rows': len(d), 'mix': mix, 'clusters': clusters}


def connections(mini, corrected):
    """The Infiltration connections: how many pieces of each are of which kind, and how alike pieces are.

    Only the corrected form has addresses. The original holds more leftovers, of up to twelve packets; the connections
    with most pieces get those, one each in turn, until the kinds sum to what the original has.
    """
    d = read(corrected + '/Infiltration_36.csv')
    kind = infiltration_kind(d['Total Fwd Packets'] + d['Total Backward Packets'])
    key = d['Src IP'] + ' ' + d['Src Port'].astype(str)
    counts = pd.crosstab(key, kind).reindex(columns=KINDS, fill_value=0)
    pieces = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind='stable').index].to_numpy()
    original = mini[mini['Label'] == 'Infiltration']
    packets = original['nf'] + original['nb']
    surplus = pieces.sum(axis=0) - pd.Series(infiltration_kind(packets)).value_counts().reindex(KINDS, fill_value=0).to_numpy()
    for k in (0, 1):
        while surplus[k] > 0:
            most = int(np.argmax(pieces[:, k] - 3 * pieces[:, 2]))
            pieces[most, k] -= 1
            pieces[most, 2 if surplus[2] < 0 else 1 - k] += 1
            surplus[k] -= 1
            surplus[2] += 1
    alike = []
    for column in ('Total Fwd Packets', 'Fwd Packet Length Max', 'Flow Duration', 'Fwd Packet Length Std'):
        z = pd.Series(normal_scores(d[column].to_numpy(float)))
        alike.append(1 - float(z.groupby([key, kind]).var().mean()) / float(z.var()))
    return {'pieces': pieces.tolist(), 'alike': round(float(np.mean(alike)), 2)}


ATTACKS = {  # label of the original files: file of the corrected ones
    'FTP-Patator': 'FTP-Patator_*', 'SSH-Patator': 'SSH-Patator_*', 'DoS Hulk': 'DoS_Hulk_*', 'DoS GoldenEye': 'DoS_GoldenEye_*',
    'DoS slowloris': 'DoS_Slowloris_*', 'DoS Slowhttptest': 'DoS_Slowhttptest_*', 'Heartbleed': 'Heartbleed_*',
    'Web Attack - Brute Force': 'Web_Attack_-_Brute_Force_*', 'Web Attack - XSS': 'Web_Attack_-_XSS_*',
    'Web Attack - Sql Injection': 'Web_Attack_-_SQL_Injection_*', 'Infiltration - Portscan': 'Infiltration_-_Portscan_*',
    'Bot': 'Botnet_*', 'PortScan': 'Portscan_*', 'DDoS': 'DDoS_*',
}


def main():
    data, target = sys.argv[1], sys.argv[2]
    mini = base(read(data + '/cicids2017-mini/*.csv'), False)
    classes = [measured_class(mini[mini['Label'] == label].reset_index(drop=True), label) for label in ('BENIGN', 'Infiltration')]
    for label, pattern_ in ATTACKS.items():
        classes.append(measured_class(base(read('%s/corrected/%s.csv' % (data, pattern_)), True), label))
    out = {
        'about': 'Statistics behind synthetic flows: shares, quantiles and rank correlations per cluster; no row of any data set.',
        'source': 'BENIGN and Infiltration: a sample of 60,021 rows of CICIDS2017 (Sharafaldin, Lashkari, Ghorbani, ICISSP 2018). '
                  'Other labels: a sample of its correction (Engelen et al. 2021, Liu et al. 2022).',
        'made_by': 'scripts/synth/measure.py',
        'columns': [{'name': n, 'log': k == 'log'} for n, k in COLUMNS.items()],
        'grids': {g: [round(z * 1000) for z in knots(g)] for g in GRIDS},
        'connections': connections(mini, data + '/corrected'),
        'classes': classes,
    }
    with open(target, 'w') as f:
        f.write(json.dumps(out, separators=(',', ':')).replace('{"label"', '\n{"label"').replace('{"name":"', '\n {"name":"') + '\n')
    for c in classes:
        print('%-28s %6d rows %3d clusters' % (c['label'], c['rows'], len(c['clusters'])))
    print('%s: %d bytes' % (target, os.path.getsize(target)))


if __name__ == '__main__':
    main()
