"""Plots of the reports as SVG text: Vega-Lite compiled in the process, without a browser or a network.

Colours are the page's own (CSS variables), so a plot follows its light or dark scheme and prints.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 460, 210
Rows = Sequence[dict[str, Any]]
ROLES = ("serving", "candidate", "baseline")
_ACCENT, _SECOND, _QUIET = "var(--accent)", "var(--second)", "var(--soft)"


def histogram(bins: Rows, x_title: str, y_title: str, name: str) -> str:
    """Bars from ``bins`` of {low, high, count, label}; the later a label comes, the stronger its colour."""
    import altair as alt

    order = list(dict.fromkeys(row["label"] for row in bins))
    strengths = [35 + round(65 * position / max(len(order) - 1, 1)) for position in range(len(order))]
    colours = [f"color-mix(in srgb, {_ACCENT} {strength}%, var(--panel))" for strength in strengths]
    chart = (
        _chart(bins)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X("low:Q", bin="binned", title=x_title, scale=alt.Scale(domain=[0, 1])),
            x2="high:Q",
            y=alt.Y("count:Q", title=y_title),
            color=alt.Color("label:N", sort=order, title=None, scale=alt.Scale(domain=order, range=colours)),
        )
    )
    return _svg(chart, name)


def calibration(bins: Rows, name: str) -> str:
    """Observed against predicted share, from ``bins`` of {predicted, observed, profiles}, with the diagonal."""
    import altair as alt

    diagonal = _chart([{"predicted": 0, "observed": 0}, {"predicted": 1, "observed": 1}]).mark_line(
        color=_QUIET, strokeDash=[4, 4], strokeWidth=1
    )
    points = _chart(bins).mark_line(color=_ACCENT, point=alt.OverlayMarkDef(color=_ACCENT, filled=True, size=45))
    axes = {
        "x": alt.X("predicted:Q", title="predicted probability", scale=alt.Scale(domain=[0, 1])),
        "y": alt.Y("observed:Q", title="share that churned", scale=alt.Scale(domain=[0, 1])),
    }
    return _svg(alt.layer(diagonal.encode(**axes), points.encode(**axes)), name)


def shares(curves: Rows, name: str) -> str:
    """Lines of {items, share, curve}: what share of something the most popular share of the items takes."""
    import altair as alt

    order = list(dict.fromkeys(row["curve"] for row in curves))
    chart = (
        _chart(curves)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("items:Q", title="share of the items, most popular first", axis=alt.Axis(format="%")),
            y=alt.Y("share:Q", title="share taken", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            color=_curve_colours(order),
            strokeDash=alt.StrokeDash(
                "curve:N", sort=order, title=None, scale=alt.Scale(domain=order, range=[[1, 0], [5, 3]])
            ),
        )
    )
    return _svg(chart, name)


def scores(rows: Rows, title: str, name: str, roles: Sequence[str] = ROLES) -> str:
    """Points of {model, value, low, high, role} with their intervals, one line a model, in the order given.

    ``roles``: the three that there can be, the one to look at first and what the others are measured against last.
    """
    import altair as alt

    order = [row["model"] for row in rows]
    y = alt.Y("model:N", sort=order, title=None, axis=alt.Axis(labelLimit=220))
    colour = alt.Color(
        "role:N",
        title=None,
        scale=alt.Scale(domain=list(roles), range=[_ACCENT, _QUIET, _SECOND]),
        legend=alt.Legend(symbolType="circle"),
    )
    near = alt.Scale(zero=False)
    base = _chart(rows)
    interval = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=title, scale=near), x2="high:Q", y=y, color=colour
    )
    point = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("value:Q", title=title, scale=near), y=y, color=colour
    )
    return _svg(alt.layer(interval, point), name, height=max(70, 26 * len(rows)))


def differences(rows: Rows, title: str, name: str) -> str:
    """Points of {name, value, low, high} with their intervals beside a line at zero, in the order given."""
    import altair as alt

    order = [row["name"] for row in rows]
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=220))
    zero = _chart([{"zero": 0}]).mark_rule(color=_QUIET, strokeDash=[4, 4]).encode(x="zero:Q")
    base = _chart(rows)
    interval = base.mark_rule(strokeWidth=2, color=_ACCENT).encode(x=alt.X("low:Q", title=title), x2="high:Q", y=y)
    point = base.mark_point(filled=True, size=70, opacity=1, color=_ACCENT).encode(x=alt.X("value:Q", title=title), y=y)
    return _svg(alt.layer(zero, interval, point), name, height=max(70, 22 * len(rows)))


def band(days: Rows, name: str) -> str:
    """A line of {day, difference, low, high} by day, within its interval, over a line at zero. ``day``: ISO 8601."""
    import altair as alt

    # Days are told apart by their order, not by a clock: no time zone can shift them.
    order = [row["day"] for row in days]
    shown = order[:: max(1, len(order) // 6)]
    x = alt.X("day:O", sort=order, title=None, axis=alt.Axis(values=shown, labelAngle=0, grid=False))
    title = "B minus A"
    # The first days know next to nothing: their intervals are cut off where the last one's reading would be lost.
    far = 3 * max(abs(days[-1]["low"]), abs(days[-1]["high"]))
    near = alt.Scale(domain=[-far, far], clamp=True)
    base = _chart(days)
    area = base.mark_area(fill=_ACCENT, fillOpacity=0.18).encode(
        x=x, y=alt.Y("low:Q", title=title, axis=alt.Axis(format="%"), scale=near), y2="high:Q"
    )
    line = base.mark_line(color=_ACCENT, point=alt.OverlayMarkDef(color=_ACCENT, filled=True, size=25)).encode(
        x=x, y=alt.Y("difference:Q", title=title, scale=near)
    )
    zero = _chart([{"none": 0}]).mark_rule(color=_QUIET, strokeDash=[4, 4]).encode(
        y=alt.Y("none:Q", title=title, scale=near)
    )
    last = _chart(days[-1:]).mark_rule(color=_ACCENT, strokeWidth=2).encode(
        x=x, y=alt.Y("low:Q", title=title, scale=near), y2="high:Q"
    )
    return _svg(alt.layer(area, zero, line, last), name)


def bars(rows: Rows, x_title: str, name: str) -> str:
    """Horizontal bars of {name, value}, in the order given."""
    import altair as alt

    order = [row["name"] for row in rows]
    chart = (
        _chart(rows)
        .mark_bar(color=_ACCENT, height={"band": 0.7})
        .encode(
            x=alt.X("value:Q", title=x_title), y=alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=220))
        )
    )
    return _svg(chart, name, height=max(60, 22 * len(rows)))


def alone(svg: str) -> str:
    """The same plot as a picture of its own: light colours of the reports written out, which viewers of pictures need,
    on white, in its own size.
    """
    light = (Path(__file__).parent / "templates" / "report.css").read_text(encoding="utf-8").partition("@media")[0]
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", light))
    svg = re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], svg)
    svg = svg.replace("currentColor", colours["ink"])
    width, height = re.findall(r'viewBox="0 0 (\d+) (\d+)"', svg)[0]
    svg = svg.replace("<svg", f'<svg width="{width}" height="{height}"', 1)
    return re.sub(r"^<svg[^>]*>", r'\g<0><rect width="100%" height="100%" fill="#fff"/>', svg, count=1)


def _curve_colours(order: list[str]) -> Any:
    import altair as alt

    return alt.Color("curve:N", sort=order, title=None, scale=alt.Scale(domain=order, range=[_ACCENT, _QUIET]))


def _chart(rows: Rows) -> Any:
    import altair as alt

    return alt.Chart(alt.InlineData(values=list(rows)))


def _svg(chart: Any, name: str, height: int = HEIGHT) -> str:
    """Compile to SVG. ``name`` keeps the ids of several plots on one page apart."""
    import vl_convert

    axis = {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 12,
    }
    legend = {"labelColor": "currentColor", "titleColor": "currentColor", "orient": "top", "labelFontSize": 11}
    styled = (
        chart.properties(width=WIDTH, height=height)
        .configure(background="transparent", font="system-ui, DejaVu Sans, sans-serif")
        .configure_axis(**axis)
        .configure_legend(**legend)
        .configure_view(strokeWidth=0)
    )
    svg = str(vl_convert.vegalite_to_svg(styled.to_dict()))
    svg = re.sub(r'(id="|url\(#)((?:clip|gradient)[^")]*)', rf"\1{name}-\2", svg)
    # The page scales plots to its width; the fixed size stays as the view box.
    return re.sub(r'^<svg([^>]*?) width="[^"]*" height="[^"]*"', r"<svg\1", svg, count=1)
