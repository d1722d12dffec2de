"""What `interp-lab run` prints of a result: a table, where its experiment has one, and its summary."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from interp_lab.cli.show import console

_EDGES = 12
"""Of a circuit that are printed; the page has all."""
_FEATURES = 4
"""Features that are printed."""
_COMPACT: dict[str, Any] = {
    "box": box.SIMPLE_HEAD,
    "show_edge": False,
    "padding": (0, 1, 0, 0),
    "title_justify": "left",
}
"""A table that fits eight columns of numbers into eighty characters."""


def show_result(result: Any, folder: Path) -> None:  # noqa: ANN401 - a Result
    """Print what was found, and where it was kept."""
    table = _TABLES.get(result.provenance.experiment)
    if table is not None:
        table(result)
    console.print(result.summary(), highlight=False, soft_wrap=True)
    console.print(f"kept in {folder}", highlight=False, soft_wrap=True)


def show_heads(result: Any) -> None:  # noqa: ANN401 - an AttentionHeadsResult
    """Print the heads that look or act: what like, what ablating them costs, how the two agree, and the grade."""
    from interp_lab.attention.verdicts import UNTOLD, Verdict

    frames = result.tables()
    heads, scores = frames["heads"].to_dict("records"), frames["scores"].to_dict("records")
    several = len(result.behaviours) > 1
    table = Table(title=f"{result.config.model}: heads that look or act the part", **_COMPACT)
    for column in ("head", "looks like (% attention)", *(["on"] if several else []), "ablated", "says", "grade"):
        table.add_column(column, no_wrap=column != "says")
    for row, scored in zip(heads, scores, strict=True):
        kinds = [kind for kind in row["looks_like"].split(", ") if kind]
        looks = ", ".join(f"{kind.removesuffix('_token')} {_best_share(scored, kind)}" for kind in kinds)
        for name in (behaviour.replace(" ", "_") for behaviour in result.behaviours):
            if kinds or row[f"{name}_says"] not in UNTOLD:
                on = [name.replace("_", " ")] if several else []
                says, grade = row[f"{name}_says"], row[f"{name}_grade"][:1].upper()
                told = ("", "") if says == Verdict.NEITHER else (says, grade)
                table.add_row(row["head"], looks, *on, raw_text(row, name), *told)
    console.print(table)
    legend = "ablated: rise of the loss (nats), fall of the logit difference; R replicated, C causal, D descriptive"
    console.print(legend, style="dim", highlight=False, soft_wrap=True)


def _best_share(row: dict[str, Any], kind: str) -> str:
    """Return the score of a type on the text where it is higher, in per cent with its interval."""
    there = [name for name in (kind, f"{kind}_on_text") if name in row]
    return share_text(row, max(there, key=lambda name: row[name]))


def show_patching(result: Any) -> None:  # noqa: ANN401 - a PatchingResult
    """Print one row per chosen site: what is brought back and what is lost, the control, content, and the grades."""
    frame = result.tables()["sites"].set_index("site")
    unit = "% of the total effect" if result.is_normalised else f"{result.effect_unit}, raw"
    as_text = share_text if result.is_normalised else raw_text
    table = Table(title=f"{result.config.task} in {result.config.model}: {unit}", **_COMPACT)
    for column in ("site", "denoising", "noising", "null", "other", "grade"):
        table.add_column(column, no_wrap=True)
    for site in (result.names[nth] for nth in result.chosen):
        row = frame.loc[site].to_dict()
        effects = [as_text(row, kind) for kind in ("denoise", "noise")]
        others = [as_text(row, kind).split()[0] for kind in ("denoise_null", "denoise_other")]
        marks = "/".join(row[f"{patch}_grade"][:1].upper() or "-" for patch in ("denoise", "noise"))
        table.add_row(site.replace("hook_", ""), *effects, *others, marks)
    console.print(table)
    legend = f"null, other: {result.another('corrupted')}, {result.another('clean')}; grade: of denoising / of noising"
    console.print(legend, style="dim", highlight=False, soft_wrap=True)


def show_relations(result: Any) -> None:  # noqa: ANN401 - an AttentionRelationsResult
    """Print one row per head that looks along a relation or acts for its answer: both, with intervals, and verdict."""
    from interp_lab.attention.verdicts import UNTOLD

    frame = result.tables()["relations"]
    title = f"{result.model}: attention beyond other places (%), answer under {result.config.ablations[0]} ablation"
    table = Table(title=title, **_COMPACT)
    for column in ("relation", "head", "looks", "answer", "", "verdict"):
        table.add_column(column, no_wrap=column != "verdict")
    for relation in result.relations:
        own = frame[(frame["relation"] == relation) & (frame["looks"] | ~frame["verdict"].isin(UNTOLD))]
        for row in own.to_dict("records"):
            excess, low, high = (f"{100 * row[end]:.0f}" for end in ("excess", "excess_low", "excess_high"))
            looks, grade = f"{excess} ({low} {high})", row["acts"][:1].upper()
            looks = f"[bold]{looks}[/]" if row["looks"] else looks
            answer = raw_text(row, "change") if row["acts"] else "not asked"
            table.add_row(relation, row["head"], looks, answer, grade, row["verdict"])
        if own.empty:
            table.add_row(relation, "", "", "", "", "no head")
    console.print(table)
    legend = "bold: attends along it; answer: change of its metric; R replicated, C causal, D descriptive"
    console.print(legend, style="dim", highlight=False, soft_wrap=True)


def show_ablation(result: Any) -> None:  # noqa: ANN401 - an AblationResult
    """Print one row per part that stands out: what it writes, what is lost without it, the verdict and the grade."""
    frame = result.tables()["sites"]
    title = f"{result.config.task} in {result.config.model}: {result.config.ablations[0]} ablation ({result.unit})"
    table = Table(title=title, **_COMPACT)
    for column in ("part", "writes", "lost", "verdict", "grade"):
        table.add_column(column, no_wrap=True)
    for row in frame[frame["chosen"] | (frame["verdict"] != "")].to_dict("records"):
        writes = "" if result.direct is None else raw_text(row, "direct")
        grade = row["grade"][:1].upper() if row["chosen"] else ""
        table.add_row(row["site"].replace("hook_", ""), writes, raw_text(row, "ablated"), row["verdict"], grade)
    console.print(table)
    legend = "writes: straight to the metric; lost: without the part; R replicated, C causal, D descriptive"
    console.print(legend, style="dim", highlight=False, soft_wrap=True)


def show_circuit(result: Any) -> None:  # noqa: ANN401 - a CircuitsResult
    """Print the edges of a circuit by receiver, with what ablating each alone does, and what the whole is worth."""
    c, frame = result.config, result.tables()["edges"]
    table = Table(title=f"{c.task} in {c.model}: a circuit of {len(frame)} edges ({result.unit})", **_COMPACT)
    for column in ("edge", "without it alone", "held-out templates"):
        table.add_column(column, no_wrap=True)
    for row in frame.head(_EDGES).to_dict("records"):
        again = raw_text(row, "held_out") if result.held_out is not None else ""
        table.add_row(f"{row['source']} -> {row['target']}", raw_text(row, "effect"), again)
    console.print(table)
    console.print(f"the {min(_EDGES, len(frame))} largest of {len(frame)}", style="dim", highlight=False)


def show_features(result: Any) -> None:  # noqa: ANN401 - a FeatureEffectsResult
    """Print the features with a claim: where they fire, what is lost without them, beside directions, and the grade."""
    c, frame = result.config, result.tables()["features"]
    done = str(c.operations[0])
    table = Table(title=f"{c.task} in {c.model}: features ({done}; {result.unit})", **_COMPACT)
    for column in ("feature", "fires on", "lost", "random", "held-out templates", "grade"):
        table.add_column(column, no_wrap=column != "fires on")
    for row in frame.head(_FEATURES).to_dict("records"):
        again = raw_text(row, "held_out") if row["held_out"] == row["held_out"] else ""
        grade = row["grade"][:1].upper()
        random = f"{row['random']:.2f}"
        table.add_row(str(row["feature"]), row["fires_on"], raw_text(row, "lost"), random, again, grade)
    console.print(table)
    legend = "random: directions of the same length at the same tokens; R replicated, C causal, D descriptive"
    console.print(legend, style="dim", highlight=False, soft_wrap=True)


def show_steering(result: Any) -> None:  # noqa: ANN401 - a SteeringResult
    """Print what leads to either side: how far it moves the target, at which price, and one text that it writes."""
    c = result.config
    title = f"{c.trait} in {c.model}, steered within {c.budget.kl:g} nats per token ({result.unit})"
    table = Table(title=title, **_COMPACT)
    for column in ("setting", "change", "held-out", "KL", "p", "grade"):
        table.add_column(column, no_wrap=True)
    for row in result.tables()["chosen"].to_dict("records"):
        sign = 1 if row["side"] == "positive" else -1
        setting = f"{row['how']} {row['coefficient']:+g} at {row['at']}"
        again = raw_text(row, "effect_on_held_out")
        price, p, grade = f"{row['kl']:.3f}", f"{result.random_p(sign):.2f}", row["grade"][:1].upper()
        table.add_row(setting, raw_text(row, "effect"), again, price, p, grade)
    console.print(table)
    legend = "held-out: templates; KL on neutral text; p by rank among random directions; R replicated, D descriptive"
    console.print(legend, style="dim", highlight=False, soft_wrap=True)
    written = result.tables().get("continuations")
    if written is not None:
        first = written.iloc[0]
        for name, text in first.iloc[1:].items():
            console.print(f"  {name}: {first['opening']} ... {text}", highlight=False, markup=False, soft_wrap=True)


def raw_text(row: dict[str, Any], name: str) -> str:
    """Return `0.71 (0.69 0.73)` from a table row: a number, and the ends of its interval."""
    return f"{row[name]:.2f} ({row[f'{name}_low']:.2f} {row[f'{name}_high']:.2f})"


def share_text(row: dict[str, Any], name: str) -> str:
    """Return `71 69-73` from a table row: a share in per cent, and the ends of its interval."""
    mean, low, high = (round(100 * row[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return f"{mean} {low}-{high}"


_TABLES: Mapping[str, Callable[[Any], None]] = {
    "attention_heads": show_heads,
    "attention_relations": show_relations,
    "patching": show_patching,
    "ablation": show_ablation,
    "circuits": show_circuit,
    "feature_effects": show_features,
    "steering": show_steering,
}
"""By the name of the experiment."""
