"""``nightloom bench``: our recommenders and churn models beside what others would pick, on any data, in one run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cli.terminal import TerminalProgress, show_json, show_table
from contracts.errors import NotFound, UsageError

if TYPE_CHECKING:
    from models.benchmark.protocols import Figures


def bench(
    path: Path,
    *,
    protocol: Literal["time", "strong", "churn", "survival"] = "time",
    profile: str = "",
    item: str = "",
    time: str = "",
    where: str = "",
    text: str = "",
    price: str = "",
    returned: str = "",
    horizon: int = 90,
    folds: int = 0,
    duration: str = "",
    event: str = "",
    without: str = "",
    only: str = "",
    peers: str = "",
    threads: int = 2,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Compare our models with references fitted in the same run, on the data you give.

    Parameters
    ----------
    path
        A Parquet, CSV or JSON file of events, ratings.dat or u.data, or a folder with train.txt and test.txt.
    protocol
        time: learn from the first 90 % of the events, find what came next. strong: hold out whole profiles.
        churn: tell who falls silent over the last days of the events. survival: tell how long lives last, of which
        the file has a row each.
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
        Column or expression of the price; in churn of what was paid.
    returned
        Condition of the rows that are returns, in churn.
    horizon
        Days of silence that are a churn.
    folds
        Folds of profiles in strong, each held out in turn; 1 tests one tenth alone, 0 takes ten where one would be few.
    duration
        Column or expression of how long a life lasted so far, in survival.
    event
        Column or expression that tells whether it ended.
    without
        Columns that are no features, comma separated.
    only
        Our models to compare, comma separated; all by default, in churn what a night chooses.
    peers
        Parts of the names of the references to compare with, comma separated; all by default.
    threads
        Threads of the models, ours and the references.
    out
        Folder for bench.json, bench.md and plots.
    json
        Print JSON.
    """
    from models.benchmark import summary

    if not path.exists():
        raise NotFound(f"there is no {path}", hint="a file of events, or a folder with train.txt and test.txt")
    names = tuple(name for name in only.split(",") if name)
    others = tuple(part.strip() for part in peers.split(",") if part.strip())
    progress = TerminalProgress()

    def tell(what: str) -> None:
        progress.step(what, 0, 0)

    given = {"profile": profile, "time": time, "item": item, "price": price, "where": where}
    if protocol == "churn":
        figures = _churn(path, horizon, threads, names, others, tell, given | {"returned": returned})
    elif protocol == "survival":
        from flows.stages import churn_bench
        from models.benchmark import churn_protocols

        left_out = tuple(name for name in without.split(",") if name)
        data = churn_bench.survival_data(path, duration, event, left_out)
        figures = churn_protocols.survival_figures(data, tell, others)
    else:
        figures = _recommenders(path, protocol, folds, threads, names, others, tell, given | {"text": text})
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


def _churn(
    path: Path, horizon: int, threads: int, names: tuple[str, ...], others: tuple[str, ...],
    tell: Callable[[str], None], given: dict[str, str],
) -> list[Figures]:
    from flows.stages import churn_bench
    from models.benchmark import churn_protocols
    from models.churn.select import CANDIDATES
    from transforms import benchmark_customers as customers

    _known(names, CANDIDATES, "churn model")
    with customers.open_customers(path, customers.layout_of(path, **given), horizon, threads) as con:
        data = churn_bench.churn_data(con, horizon)
    return churn_protocols.churn_figures(data, tell, names, others)


def _recommenders(
    path: Path, protocol: str, folds: int, threads: int, names: tuple[str, ...], others: tuple[str, ...],
    tell: Callable[[str], None], given: dict[str, str],
) -> list[Figures]:
    from flows.stages import bench as stage
    from models.benchmark import protocols
    from models.registry import RECOMMENDERS
    from transforms import benchmark_events as events

    _known(names, RECOMMENDERS, "recommender")
    if path.is_dir():
        train, test, lesson = stage.given_data(path)
        return protocols.given_figures(train, test, lesson, threads, tell, names, others)
    with events.open_events(path, events.layout_of(path, **given), threads) as con:
        if protocol == "time":
            return protocols.time_figures(stage.time_data(con), threads, tell, names, others)
        return protocols.strong_figures(stage.strong_data(con, folds), threads, tell, names, others)


def _known(names: Iterable[str], known: Collection[str], kind: str) -> None:
    if strange := [name for name in names if name not in known]:
        raise UsageError(f"there is no {kind} {', '.join(strange)}", hint=", ".join(known))


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
            role = "reference" if one.reference else "best of ours" if one.model == ours else "ours"
            points.append({
                "model": one.model, "value": value, "low": value - spread, "high": value + spread, "role": role,
            })
        picture = plots.scores(points, headline, f"bench-{mode}", ("best of ours", "ours", "reference"))
        (out / f"bench-{mode}.svg").write_text(plots.alone(picture), encoding="utf-8")
