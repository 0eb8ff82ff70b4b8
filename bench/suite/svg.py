# SPDX-License-Identifier: MIT
"""Plots: bars of all workloads, histograms of latency, operations over time. They follow the reader's light or dark."""
import math
from xml.sax.saxutils import escape

import rivals
import table

COLORS = [('#2a78d6', '#4a92e6'), ('#e0602b', '#e8743f'), ('#1a9d78', '#27ac85'), ('#8a5cc9', '#a883e0'),
          ('#c93636', '#e66767'), ('#8b8a82', '#8b8a82'), ('#a07a00', '#d6b13c'), ('#0e8a9d', '#3bb8cb')]


def style():
    light = ''.join(f'.c{i}{{--c:{a}}}' for i, (a, _) in enumerate(COLORS))
    dark = ''.join(f'.c{i}{{--c:{b}}}' for i, (_, b) in enumerate(COLORS))
    return ('<style>svg{background:#fdfdfb}text{font:12px system-ui,sans-serif;fill:#55544e}.h{font-weight:600;fill:#14140f}'
            f'.g{{stroke:#e3e2dc}}.b{{fill:var(--c)}}.l{{fill:none;stroke:var(--c);stroke-width:1.6}}{light}'
            '@media (prefers-color-scheme:dark){svg{background:#1b1b1a}text{fill:#bdbcb4}.h{fill:#f4f3ee}.g{stroke:#2e2e2b}'
            f'{dark}}}</style>')


def text(x, y, content, kind='', anchor='start'):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'


def write(path, width, height, parts):
    with open(path, 'w') as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                   f'height="{height}" role="img">{style()}{"".join(parts)}</svg>\n')


def legend(names, y, drawn=None):
    """The color of each name that is drawn; no name has another color in another plot."""
    parts, x = [], 20
    for i, name in enumerate(names):
        if drawn is not None and name not in drawn:
            continue
        label = rivals.title(name)
        parts.append(f'<rect class="b c{i % len(COLORS)}" x="{x}" y="{y - 10}" width="11" height="11"/>')
        parts.append(text(x + 16, y, label))
        x += 34 + 7 * len(label)
    return parts


def bars(results, workloads, names, path):
    """For each workload a bar for each rival: its speed in parts of the fastest that has a limit, as long as that."""
    y, parts = 70, [text(20, 26, 'Speed, in parts of the fastest rival that is limited (longer is faster)', 'h'), *legend(names, 50)]
    for w in workloads:
        speeds = {name: results.median(w, name) for name in names}
        speeds = {name: 1 / v if w.unit in ('us', 's') else v for name, v in speeds.items() if v}
        limited = [v for name, v in speeds.items() if name not in ('none', 'device')]
        if not speeds:
            continue
        best = max(limited or speeds.values())
        parts.append(text(20, y + 12, w.label, 'h'))
        for name, value in speeds.items():
            length = min(value / best, 1.15) * 420
            parts.append(f'<rect class="b c{names.index(name) % len(COLORS)}" x="270" y="{y + 2}" width="{length:.1f}" height="11" rx="2"/>')
            beyond = ' (beyond the scale)' if value / best > 1.15 else ''
            parts.append(text(276 + length, y + 12, f'{table.short(results.median(w, name))} {w.unit}{beyond}'))
            y += 15
        y += 12
    write(path, 960, y + 10, parts)


def curve(points, index):
    return f'<polyline class="l c{index % len(COLORS)}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def duration(ns):
    return f'{ns:.0f} ns' if ns < 1e3 else f'{ns / 1e3:.0f} us' if ns < 1e6 else f'{ns / 1e6:.0f} ms'


def latency(results, w, names, path):
    """How large a part of the operations took so long: steps of a quarter of a power of two."""
    curves = {}
    for name in names:
        steps = {}
        for run in results.of(w, name):
            for edge, count in run.get('latency', []):
                step = round(4 * math.log2(max(edge, 64)))
                steps[step] = steps.get(step, 0) + count
        if steps:
            total = sum(steps.values())
            curves[name] = {step: count / total for step, count in steps.items()}
    if not curves:
        return
    low, high = min(min(c) for c in curves.values()) - 1, max(max(c) for c in curves.values()) + 1
    top = max(max(c.values()) for c in curves.values())
    parts = [text(20, 26, f'{w.label}: how long one operation took', 'h'), *legend(names, 50, curves)]
    for power in range(2, 11):
        at = 4 * math.log2(10 ** power)
        if low <= at <= high:
            x = 50 + (at - low) / (high - low) * 740
            parts += [f'<path class="g" d="M{x:.1f} 70V300"/>', text(x, 318, duration(10 ** power), anchor='middle')]
    parts += [text(44, 80, f'{top * 100:.0f} %', anchor='end'), text(44, 304, '0', anchor='end'), '<path class="g" d="M50 300H790"/>']
    for name, c in curves.items():
        parts.append(curve([(50 + (s - low) / (high - low) * 740, 300 - 224 * c.get(s, 0) / top) for s in range(low, high + 1)],
                           names.index(name)))
    write(path, 820, 330, parts)


def rate_text(power):
    return f'{10 ** (power % 3)}{["", " k", " M", " G"][power // 3]}' if 0 <= power < 12 else f'1e{power}'


def time_step(longest):
    """Round steps of which some four to eight make up the whole."""
    unit = 10 ** math.floor(math.log10(longest / 4))
    return max(unit * m for m in (1, 2, 5) if unit * m <= longest / 4)


def series(run):
    """At most 100 points of (seconds, operations a second)."""
    counts, step = run['intervals'][:-1], run['interval_ns'] / 1e9  # the last one is no whole one
    each = max(1, math.ceil(len(counts) / 100))
    return [((i + each / 2) * step, sum(counts[i:i + each]) / (len(counts[i:i + each]) * step))
            for i in range(0, len(counts), each)]


def over_time(results, w, names, path):
    """The last round of each: operations a second, warming up included, by a scale of powers of ten."""
    curves = {name: series(runs[-1]) for name in names if (runs := [r for r in results.of(w, name) if len(r.get('intervals', [])) > 1])}
    if not curves:
        return
    longest = max(points[-1][0] for points in curves.values()) or 1
    rates = [rate for points in curves.values() for _, rate in points if rate > 0]
    low, high = math.floor(math.log10(min(rates))), math.ceil(math.log10(max(rates)) + 0.01)
    parts = [text(20, 26, f'{w.label}: operations a second, over time', 'h'), *legend(names, 50, curves)]
    for power in range(low, high + 1):
        y = 300 - (power - low) / (high - low) * 224
        parts += [f'<path class="g" d="M60 {y:.1f}H790"/>', text(54, y + 4, rate_text(power), anchor='end')]
    step = time_step(longest)
    for i in range(int(longest / step) + 1):
        parts.append(text(60 + i * step / longest * 730, 318, f'{i * step:g} s', anchor='middle'))
    for name, points in curves.items():
        scaled = [(60 + t / longest * 730, 300 - (math.log10(max(rate, 10 ** low)) - low) / (high - low) * 224) for t, rate in points]
        parts.append(curve(scaled, names.index(name)))
    write(path, 820, 330, parts)


def draw(results, given):
    names = [name for name in given.rivals if any(run['rival'] == name for run in results.runs)]
    bars(results, given.only, names, f'{given.svg}/speed.svg')
    for w in given.only:
        if not w.real:
            latency(results, w, names, f'{given.svg}/latency-{w.name}.svg')
            over_time(results, w, names, f'{given.svg}/time-{w.name}.svg')
