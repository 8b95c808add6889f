"""Writes an HTML page about a run: counts, speed, skipped images, distribution of the scores."""

import base64
import html
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from string import Template

import numpy as np

from scorer.errors import BadImage
from scorer.files import replacing
from scorer.images.encoded import Encoded
from scorer.images.photograph import load_full
from scorer.ranking.summary import Summary
from scorer.selection import overlay
from scorer.selection.result import Ranked

_PER_DECADE = 10_000  # fine bins of 1 + |score|, so that memory does not grow with the pool
_TAIL = 0.005  # share of the pixels at either end
_BARS, _TICKS = 50, 5
_THUMBNAIL = (384, 288)
_WIDTH, _HEIGHT, _LEFT, _BELOW = 720, 260, 70, 40
_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: .2rem 1rem .2rem 0; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td img { max-width: 12rem; max-height: 9rem; display: block; }
svg text { font: 12px system-ui, sans-serif; } rect { fill: #21918c; }
</style></head><body>
<h1>$title</h1>
<table>$facts</table>
$first
<h2>Scores of the chosen pixels</h2>
$histogram
<h2>Images that were left out</h2>
$skipped
</body></html>
""")


def write(
    path: Path,
    title: str,
    summary: Summary,
    images: Iterable[Ranked],
    *,
    seconds: float,
    sources: Mapping[str, Callable[[], Encoded]],
) -> None:
    """Write the page, which needs no other files and no network.

    sources: functions that read the encoded images shown with their reasons, by name.
    """
    done = summary.images - summary.kept
    facts = {
        "images": summary.images,
        "ranked": summary.ranked,
        "left out": summary.skipped,
        "done by an earlier run": summary.kept,
        "pixels asked for": summary.pixels,
        "images with fewer pixels than asked": summary.short,
        "share of pixels with BalEnt ≥ 0": _share(summary.share),
        "seconds of this run": f"{seconds:.1f}",
        "images per second": f"{done / seconds:.1f}" if done and seconds else "-",
    }
    rows = "".join(_row(name, value) for name, value in facts.items())
    reasons = "".join(_row(name, count) for name, count in summary.reasons.most_common())
    page = _PAGE.substitute(
        title=html.escape(title), facts=rows, first=_first(summary, sources),
        histogram=_histogram(_counted(images)),
        skipped=f"<table>{reasons}</table>" if reasons else "<p>None.</p>",
    )  # fmt: skip
    with replacing(path) as file:
        file.write(page)


def _first(summary: Summary, sources: Mapping[str, Callable[[], Encoded]]) -> str:
    """The first images of the ranking, each with its reason."""
    if not summary.first:
        return ""
    rows = "".join(
        f"<tr><td>{_picture(sources.get(row['image']))}</td><td><b>{row['rank']}</b> "
        f"{html.escape(row['image'])}<br>{html.escape(row['why'])}</td></tr>"
        for row in summary.first
    )
    return f"<h2>The first images, and why</h2><table>{rows}</table>"


def _picture(source: Callable[[], Encoded] | None) -> str:
    try:
        picture = load_full(source()) if source else None
    except BadImage:  # the file vanished after it was scored
        picture = None
    if picture is None:
        return ""
    picture.thumbnail(_THUMBNAIL)
    data = base64.b64encode(overlay.encoded(picture, "JPEG", quality=80)).decode()
    return f'<img alt="" src="data:image/jpeg;base64,{data}">'


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _row(name: str, value: object) -> str:
    return f'<tr><td>{html.escape(name)}</td><td class="number">{value}</td></tr>'


def _counted(images: Iterable[Ranked]) -> Counter[int]:
    """Number of pixels per fine bin: equal steps of sign(s)·log10(1 + |s|)."""
    return Counter(_bin(pixel.score) for one in images for pixel in one.pixels)


def _bin(score: float) -> int:
    return math.floor(_PER_DECADE * math.copysign(math.log10(1 + abs(score)), score))


def _score(place: float) -> float:
    """The score at a position of the axis."""
    return math.copysign(10 ** abs(place) - 1, place)


def _bars(counts: Counter[int]) -> tuple[float, float, list[int]]:
    """Range of the axis and heights of the bars; the outermost bars include the tails."""
    bins = np.array(sorted(counts))
    heights = np.array([counts[one] for one in bins.tolist()])
    below = np.cumsum(heights) / heights.sum()
    places = (bins + 0.5) / _PER_DECADE
    low = float(places[int(np.searchsorted(below, _TAIL))])
    high = float(places[min(int(np.searchsorted(below, 1 - _TAIL)), len(places) - 1)])
    if low == high:
        low, high = low - 0.1, high + 0.1
    bars, _ = np.histogram(places.clip(low, high), _BARS, (low, high), weights=heights)
    return low, high, bars.astype(int).tolist()


def _histogram(counts: Counter[int]) -> str:
    if not counts:
        return "<p>No pixel was chosen.</p>"
    low, high, bars = _bars(counts)
    most, step, width = max(bars), _WIDTH / _BARS, (high - low) / _BARS
    edges = [_score(low + place * width) for place in range(_BARS + 1)]
    drawn = "".join(
        f'<rect x="{_LEFT + place * step:.1f}" y="{10 + _HEIGHT * (1 - count / most):.1f}" '
        f'width="{step - 1:.1f}" height="{_HEIGHT * count / most:.1f}"><title>{count} pixels from '
        f"{edges[place]:.3g} to {edges[place + 1]:.3g}</title></rect>"
        for place, count in enumerate(bars)
    )
    ticks = "".join(
        f'<text x="{_LEFT + place * _WIDTH / _TICKS:.1f}" y="{_HEIGHT + 28}" '
        f'text-anchor="middle">{_score(low + place * (high - low) / _TICKS):.3g}</text>'
        for place in range(_TICKS + 1)
    )
    return (
        f'<svg viewBox="0 0 {_LEFT + _WIDTH + 40} {_HEIGHT + _BELOW + 25}" role="img" '
        f'aria-label="Histogram of the scores">{drawn}{ticks}'
        f'<text x="{_LEFT - 6}" y="20" text-anchor="end">{most}</text>'
        f'<text x="{_LEFT - 6}" y="{_HEIGHT + 12}" text-anchor="end">0 pixels</text>'
        f'<text x="{_LEFT + _WIDTH / 2}" y="{_HEIGHT + _BELOW + 18}" text-anchor="middle">'
        f"score, on an axis of sign(s) log(1 + |s|); the outermost bars hold the {_TAIL:.1%} "
        "beyond them, too</text></svg>"
    )
