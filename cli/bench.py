"""``nightloom bench``: our recommenders beside what others would pick, on any data, in one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from cli.terminal import TerminalProgress, show_json, show_table
from contracts.errors import NotFound, UsageError


def bench(
    path: Path,
    *,
    protocol: Literal["time", "strong"] = "time",
    profile: str = "",
    item: str = "",
    time: str = "",
    where: str = "",
    text: str = "",
    price: str = "",
    only: str = "",
    peers: str = "",
    threads: int = 2,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Compare recommenders with references fitted in the same run, on the data you give.

    Parameters
    ----------
    path
        A Parquet, CSV or JSON file of events, or a folder with train.txt and test.txt.
    protocol
        time: learn from the first 90 % of the events, find what came next. strong: hold out whole profiles.
    profile
        Column, or SQL expression, that tells the profile; known layouts need none of these.
    item
        The same for the item.
    time
        The same for the time of the event.
    where
        SQL condition of the rows that count.
    text
        Column or expression of the item's text.
    price
        Column or expression of the price.
    only
        Our models to compare, comma separated; all by default.
    peers
        Parts of the names of the references to compare with, comma separated; all by default.
    threads
        Threads of the models, ours and the references.
    out
        Folder for bench.json, bench.md and plots.
    json
        Print JSON.
    """
    from flows.stages import bench as stage
    from models.benchmark import protocols, summary
    from models.registry import RECOMMENDERS
    from transforms import benchmark_events as events

    if not path.exists():
        raise NotFound(f"there is no {path}", hint="a file of events, or a folder with train.txt and test.txt")
    names = tuple(name for name in only.split(",") if name)
    if strange := [name for name in names if name not in RECOMMENDERS]:
        raise UsageError(f"there is no recommender {', '.join(strange)}", hint=", ".join(RECOMMENDERS))
    others = tuple(part.strip() for part in peers.split(",") if part.strip())
    progress = TerminalProgress()

    def tell(what: str) -> None:
        progress.step(what, 0, 0)

    if path.is_dir():
        train, test, lesson = stage.given_data(path)
        figures = protocols.given_figures(train, test, lesson, threads, tell, names, others)
    else:
        layout = events.layout_of(path, profile=profile, item=item, time=time, where=where, text=text, price=price)
        with events.open_events(path, layout, threads) as con:
            if protocol == "time":
                figures = protocols.time_figures(stage.time_data(con), threads, tell, names, others)
            else:
                figures = protocols.strong_figures(stage.strong_data(con), threads, tell, names, others)
    if out is not None:
        _write(out, path.name, figures)
    if json:
        show_json(summary.as_json(figures))
        return
    for mode, group in summary.groups(figures).items():
        header = summary.heads(group)
        title = f"{path.name}, {group[0].protocol}, {mode}: {group[0].subjects:,} profiles"
        show_table(title, header, summary.rows(group), right=header[2:], whole=("model",))
        print(summary.in_words(summary.verdict(group)), end="\n\n")


def _write(out: Path, name: str, figures: list[Any]) -> None:
    """``bench.json``, ``bench.md`` and a plot of the headline for each mode."""
    import orjson

    from models.benchmark import summary
    from store import plots

    out.mkdir(parents=True, exist_ok=True)
    document = orjson.dumps(summary.as_json(figures), option=orjson.OPT_INDENT_2)
    (out / "bench.json").write_bytes(document + b"\n")
    (out / "bench.md").write_text(summary.markdown(name, figures), encoding="utf-8")
    for mode, group in summary.groups(figures).items():
        headline = summary.columns(group)[0]
        ours = summary.verdict(group).get("ours", "")
        points = []
        for one in sorted(group, key=lambda one: -one.metrics[headline][0]):
            value, error = one.metrics[headline]
            spread = 2 * (error or 0.0)
            role = "baseline" if one.reference else "serving" if one.model == ours else "candidate"
            points.append({
                "model": one.model, "value": value, "low": value - spread, "high": value + spread, "role": role,
            })
        picture = plots.scores(points, headline, f"bench-{mode}")
        (out / f"bench-{mode}.svg").write_text(picture, encoding="utf-8")
