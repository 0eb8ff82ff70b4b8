# SPDX-License-Identifier: MIT
"""Results as tables for people, which are Markdown, too."""
import rivals


def short(value):
    if value is None:
        return '-'
    return f'{value:.0f}' if value >= 100 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def with_spread(value, spread):
    return short(value) + (f' ±{spread * 100:.0f}%' if value is not None and spread is not None else '')


def render(rows):
    """Columns as wide as they must be; the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ['| ' + ' | '.join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]) + ' |'
             for row in rows]
    lines.insert(1, '|' + '|'.join('-' * (width + 2) for width in widths) + '|')
    return '\n'.join(lines)


def speeds(results, workloads, names):
    rows = [['', 'unit', *map(rivals.title, names)]]
    rows += [[w.label, w.unit, *(with_spread(results.median(w, name), results.spread(w, name)) for name in names)]
             for w in workloads]
    rows.append(['largest resident set', 'MiB', *(memory(results.largest(name, 'rss_peak_bytes')) for name in names)])
    rows.append(['compressed memory', 'MiB', *(memory(results.largest(name, 'beside_bytes')) for name in names)])
    return render(rows)


def memory(size):
    return f'{size / (1 << 20):.0f}' if size else '-'


def ratios(results, workloads, names):
    ours = next((name for name in names if name.startswith('uswap')), None)
    others = [name for name in names if name != ours]
    if not ours or not others:
        return ''
    rows = [[f'{ours} is so many times as fast as', *map(rivals.title, others)]]
    rows += [[w.label, *(short(results.ratio(w, ours, name)) for name in others)] for w in workloads]
    return render(rows)


def latencies(results, workloads, names):
    rows = [['us of one operation: 50, 99, 99.9 %', *map(rivals.title, names)]]
    for w in workloads:
        if w.unit not in ('us', '1000/s'):
            continue
        rows.append([w.label, *(' / '.join(short(results.percentile(w, name, field))
                                           for field in ('p50_ns', 'p99_ns', 'p999_ns')) for name in names)])
    return render(rows) if len(rows) > 1 else ''


def report(results, workloads, names):
    names = [name for name in names if any(run['rival'] == name for run in results.runs)]
    workloads = [w for w in workloads if any(run['workload'] == w.name for run in results.runs)]
    if not names or not workloads:
        return 'nothing was measured'
    parts = [speeds(results, workloads, names), ratios(results, workloads, names), latencies(results, workloads, names)]
    return '\n\n'.join(part for part in parts if part)
