"""Base columns of a flow: the ones that the synthesis draws; every other column follows from them.

A row of the published files holds some 70 numbers that hang together: a mean lies between its minimum and its
maximum, a rate is a total over the duration. The base columns carry the same information without those ties. Where a
value is confined by others (the largest gap of a flow by its duration and its packets), the base column is its place
between the two limits, 0 to 1. data/synth turns a draw back into a row with the same limits (moments.go).
"""
import glob
import os

import numpy as np
import pandas as pd

# Names of the corrected 91-column form that differ from the 79-column form.
ALIASES = {
    'Dst Port': 'Destination Port', 'Total Fwd Packet': 'Total Fwd Packets', 'Total Bwd packets': 'Total Backward Packets',
    'Total Length of Fwd Packet': 'Total Length of Fwd Packets', 'Total Length of Bwd Packet': 'Total Length of Bwd Packets',
    'FWD Init Win Bytes': 'Init_Win_bytes_forward', 'Bwd Init Win Bytes': 'Init_Win_bytes_backward',
    'Fwd Act Data Pkts': 'act_data_pkt_fwd', 'Fwd Seg Size Min': 'min_seg_size_forward',
}

# How a base column is stored: 'log' as log1p, 'lin' as it is. The order is the order of the copula.
COLUMNS = {
    'duration': 'log', 'pair': 'lin', 'fwd_packets': 'log', 'bwd_ratio': 'lin',
    'fwd_same': 'lin', 'fwd_max': 'log', 'fwd_min': 'log', 'fwd_mean': 'lin', 'fwd_std': 'lin',
    'bwd_same': 'lin', 'bwd_max': 'log', 'bwd_min': 'log', 'bwd_mean': 'lin', 'bwd_std': 'lin', 'first': 'lin',
    'gap_min': 'log', 'gap_max': 'lin', 'gap_std': 'lin',
    'fwd_gap_total': 'lin', 'fwd_gap_min': 'log', 'fwd_gap_max': 'lin', 'fwd_gap_std': 'lin',
    'bwd_gap_total': 'lin', 'bwd_gap_min': 'log', 'bwd_gap_max': 'lin', 'bwd_gap_std': 'lin',
    'fwd_segment': 'lin', 'fwd_options': 'lin', 'bwd_header': 'lin',
    'fwd_window': 'lin', 'bwd_window': 'lin', 'act_data': 'lin', 'flags': 'lin',
    'idle': 'lin', 'idle_min': 'lin', 'idle_mean': 'lin', 'idle_std': 'lin',
    'active_max': 'log', 'active_min': 'lin', 'active_mean': 'lin', 'active_std': 'lin',
}

# Up to so many packets, the packets of both directions are one code: total times 100 plus forward ones; above, it is 0.
FEW = 16

# The flag columns of the 79-column form are one-hot or nearly so: one code a combination.
# Bits: 1 FIN, 2 SYN (with Fwd PSH Flags), 4 RST (with ECE), 8 PSH, 16 ACK, 32 URG.
FLAG_BITS = {'FIN Flag Count': 1, 'SYN Flag Count': 2, 'RST Flag Count': 4, 'PSH Flag Count': 8, 'ACK Flag Count': 16,
             'URG Flag Count': 32}


def read(pattern):
    """All rows of the CSVs of either form that match, with the 79-column form's names."""
    parts = []
    for path in sorted(glob.glob(pattern)):
        part = pd.read_csv(path, encoding='latin-1', low_memory=False).rename(columns=lambda c: c.strip())
        part['file'] = os.path.basename(path).split('.')[0]
        parts.append(part.rename(columns=ALIASES))
    if not parts:
        raise SystemExit('measure: no file matches %s' % pattern)
    return pd.concat(parts, ignore_index=True)


def place(value, low, high):
    """Where value lies between low and high, 0 to 1; NaN where the limits leave no room."""
    room = high - low
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(room > 1e-9 * np.maximum(1, np.abs(high)), np.clip((value - low) / room, 0, 1), np.nan)


def spread(count, total, low, high, std):
    """Place of the sum of squares between its limits for count values of that total, minimum and maximum."""
    rest = np.maximum(count - 2, 1)
    remaining = total - low - high
    with np.errstate(divide='ignore', invalid='ignore'):
        at_top = np.where(high > low, (remaining - rest * low) / (high - low), 0)
        least = remaining * remaining / rest
        most = rest * low * low + at_top * (high * high - low * low)
        squares = std * std * (count - 1) + total * total / np.maximum(count, 1) - low * low - high * high
    return np.where(count >= 4, place(squares, least, most), np.nan)


def lengths(out, way, packets, total, high, low, std):
    out[way + '_max'] = np.where(packets > 0, high, np.nan)
    out[way + '_same'] = np.where(packets > 1, (low == high).astype(float), np.nan)
    out[way + '_min'] = np.where((packets > 1) & (low < high), low, np.nan)
    rest = packets - 2
    out[way + '_mean'] = np.where(packets >= 3, place(total, low + high + rest * low, low + high + rest * high), np.nan)
    out[way + '_std'] = spread(packets, total, low, high, std)


def gaps(out, prefix, count, total, low, high, std):
    """Gaps between packets: count of them, summing to total."""
    with np.errstate(divide='ignore', invalid='ignore'):
        out[prefix + 'gap_min'] = np.where(count >= 2, low, np.nan)
        out[prefix + 'gap_max'] = np.where(count >= 2, place(high, (total - low) / (count - 1), total - (count - 1) * low), np.nan)
    out[prefix + 'gap_std'] = spread(count, total, low, high, std)


def pauses(out, d):
    """Idle and active periods: gaps above five seconds, and the stretches between them."""
    idle, active = d['Idle Max'] > 0, (d['Idle Max'] > 0) & (d['Active Max'] > 0)
    out['idle'] = np.where(d['Flow IAT Max'] > 5e6, idle.astype(float), np.nan)
    for name, here, least in (('Idle', idle, 5e6), ('Active', active, 0)):
        low, high = d[name + ' Min'], d[name + ' Max']
        key = name.lower()
        out[key + '_min'] = np.where(here & (low < high), place(low, least, high), np.where(here, 1, np.nan))
        out[key + '_mean'] = np.where(here & (low < high), place(d[name + ' Mean'], low, high), np.nan)
        with np.errstate(divide='ignore', invalid='ignore'):
            out[key + '_std'] = np.where(here & (low < high), np.clip(d[name + ' Std'] / (high - low), 0, 2 ** -.5), np.nan)
    out['active_max'] = np.where(idle, d['Active Max'], np.nan)


def base(d, corrected):
    """The base columns of rows d. NaN where a row leaves a column undefined."""
    d = d.copy()
    for c in d.columns:
        if c not in ('Label', 'file') and d[c].dtype == object:
            d[c] = pd.to_numeric(d[c], errors='coerce')
    nf, nb, time = d['Total Fwd Packets'], d['Total Backward Packets'], d['Flow Duration']
    fwd, bwd = d['Total Length of Fwd Packets'], d['Total Length of Bwd Packets']
    few = nf + nb <= FEW
    out = {'duration': time, 'pair': np.where(few, (nf + nb) * 100 + nf, 0)}
    out['fwd_packets'], out['bwd_ratio'] = nf.where(~few), (nb / nf).where(~few)
    lengths(out, 'fwd', nf, fwd, d['Fwd Packet Length Max'], d['Fwd Packet Length Min'], d['Fwd Packet Length Std'])
    lengths(out, 'bwd', nb, bwd, d['Bwd Packet Length Max'], d['Bwd Packet Length Min'], d['Bwd Packet Length Std'])
    # The original flow meter counts the first packet twice in the mean over both directions.
    first = d['Packet Length Mean'] * (nf + nb + 1) - fwd - bwd
    out['first'] = np.where(corrected | (bwd >= 1e6), np.nan,
                            np.round(place(first, d['Fwd Packet Length Min'], d['Fwd Packet Length Max']), 2))
    gaps(out, '', nf + nb - 1, time, d['Flow IAT Min'], d['Flow IAT Max'], d['Flow IAT Std'])
    for way, count in (('Fwd', nf - 1), ('Bwd', nb - 1)):
        total = d[way + ' IAT Total']
        share = place(total, 0 * time, time)
        # Both are rounded in the files: anything nearer to one than the rounding is one.
        out[way.lower() + '_gap_total'] = np.where((count > 0) & (nb > 0), np.where(share > .995, 1, share), np.nan)
        gaps(out, way.lower() + '_', count, total, d[way + ' IAT Min'], d[way + ' IAT Max'], d[way + ' IAT Std'])
    segment = d['min_seg_size_forward']
    out['fwd_segment'] = segment
    out['fwd_options'] = np.clip(d['Fwd Header Length'] / nf - segment, 0, 40).round(2)
    out['bwd_header'] = np.where(nb > 0, np.clip(d['Bwd Header Length'] / np.maximum(nb, 1), 0, 60).round(2), np.nan)
    out['fwd_window'] = d['Init_Win_bytes_forward']
    out['bwd_window'] = np.where((nb > 0) & (out['fwd_window'] >= 0), d['Init_Win_bytes_backward'], np.nan)
    # Certain where no packet is empty, or all are.
    free = (nf > 1) & (d['Fwd Packet Length Min'] == 0) & (d['Fwd Packet Length Max'] > 0)
    out['act_data'] = np.where(free, np.clip(d['act_data_pkt_fwd'] / np.maximum(nf - 1, 1), 0, 1), np.nan)
    out['flags'] = flags(d, corrected)
    pauses(out, d)
    out = pd.DataFrame(out)[list(COLUMNS)]
    for c in ('file', 'Label'):
        out[c] = d[c].to_numpy()
    out['port'], out['nf'], out['nb'] = d['Destination Port'].to_numpy(), nf.to_numpy(), nb.to_numpy()
    sound = (time > 0) & (d['Fwd Header Length'] >= 0) & (d['Bwd Header Length'] >= 0) & (d['Flow IAT Min'] >= 0) & (nf > 0)
    return out[(sound | (nf + nb > 300)).to_numpy()].reset_index(drop=True)


def flags(d, corrected):
    """One code a row. The corrected form counts flags; its dominant one stands for the original's single bit. A reset
    counts for little there: the original shows it in 3 of 10,000 rows."""
    if corrected:
        return np.select([d['PSH Flag Count'] > 0, d['ACK Flag Count'] > 0, d['SYN Flag Count'] > 0], [8, 16, 2], 0).astype(float)
    return sum(d[c] * bit for c, bit in FLAG_BITS.items()).astype(float)
