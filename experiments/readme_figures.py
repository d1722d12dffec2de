"""Draw the figures of the README into docs/figures (needs the dev extra, and a Chromium).

Usage: python experiments/readme_figures.py [NAME ...], of heads, patching, circuit, lens, probe, attribution, effects,
features, frontier, steering, sources, sweep and investigation; all without a name. `frontier` trains six autoencoders,
nine minutes of a core.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from interp_lab.attention import AttentionHeads, AttentionHeadsConfig
from interp_lab.circuits import Circuits, CircuitsConfig
from interp_lab.input_attribution import InputAttribution, InputAttributionConfig
from interp_lab.investigation import investigate, read_investigation_config
from interp_lab.investigation.answers import headline
from interp_lab.investigation.figures import shrinkage
from interp_lab.lenses import Lenses, LensesConfig
from interp_lab.probes import Probes, ProbesConfig
from interp_lab.registry import load_experiment
from interp_lab.sae.dashboard import write_dashboard
from interp_lab.sae.features import FeatureStore
from interp_lab.sweeps import read_definition
from interp_lab.sweeps.driver import run_sweep
from interp_lab.sweeps.settings import SweepSettings

HERE = Path(__file__).parent
FOLDER = HERE.parent / "docs/figures"


def heads() -> str:
    result = AttentionHeads(AttentionHeadsConfig()).run()
    for name in ("induction", "ablation", "sets"):
        result.figures()[name].write_image(FOLDER / f"{name}.png", scale=2)
    return result.summary()


def patching() -> str:
    result = load_experiment(HERE / "configs/patch_loans.yaml").run()
    result.figures()["resid_pre denoise"].write_image(FOLDER / "patching.png", scale=2)
    return result.summary()


def circuit() -> str:
    result = Circuits(CircuitsConfig(task="grammar/facts")).run()
    result.figures()["sensitivity"].write_image(FOLDER / "circuit_sensitivity.png", scale=2)
    graph = result.figures()["graph"]
    graph.layout.sliders, graph.layout.title.font.size = (), 12  # a picture has no slider, and is narrow
    graph.layout.margin.b = 12
    graph.write_image(FOLDER / "circuit_graph.png", scale=2, height=graph.layout.height - 80)
    return result.summary()


def lens() -> str:
    result = Lenses(LensesConfig(task="grammar/facts", lens="tuned")).run()
    result.figures()["readable"].write_image(FOLDER / "lens.png", scale=2)
    return result.summary()


def probe() -> str:
    result = Probes(ProbesConfig(labels=("grammar/truth/is_true",))).run()
    next(iter(result.figures().values())).write_image(FOLDER / "probe.png", scale=2)
    return result.summary()


def attribution() -> str:
    result = InputAttribution(InputAttributionConfig(task="grammar/facts")).run()
    result.figures()["methods"].write_image(FOLDER / "attribution.png", scale=2)
    return result.summary()


def effects() -> str:
    result = load_experiment(HERE / "configs/feature_effects_loans.yaml").run()
    result.figures()["effects"].write_image(FOLDER / "feature_effects.png", scale=2)
    return result.summary()


def features() -> str:
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory() as scratch, sync_playwright() as playwright:
        run = Path(scratch) / "run"
        result = load_experiment(HERE / "configs/sae_features_organism.yaml").run(run_dir=run)
        page = write_dashboard(FeatureStore.open(run / "features"), Path(scratch) / "page.html")
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        view = browser.new_page(viewport={"width": 1200, "height": 760})
        view.goto(page.resolve().as_uri())
        view.screenshot(path=FOLDER / "features_page.png")
        browser.close()
    return result.summary()


def frontier() -> str:
    with TemporaryDirectory() as scratch:
        result = load_experiment(HERE / "configs/sae_frontier_organism.yaml").run(run_dir=Path(scratch) / "run")
    result.figures()["frontier"].write_image(FOLDER / "sae_frontier.png", scale=2)
    return result.summary()


def steering() -> str:
    result = load_experiment(HERE / "configs/steer_sentiment.yaml").run()
    result.figures()["pareto"].write_image(FOLDER / "steering_pareto.png", scale=2)
    return result.summary()


def sources() -> str:
    result = load_experiment(HERE / "configs/sources.yaml").run()
    result.figures()["accuracy"].write_image(FOLDER / "sources.png", scale=2)
    return result.summary()


def sweep() -> str:
    definition = read_definition(HERE / "sweeps/probe_regularisation.yaml")
    with TemporaryDirectory() as scratch:
        result = run_sweep(definition, SweepSettings(workers=2), Path(scratch) / "sweep")
    result.figures()["held_out"].write_image(FOLDER / "sweep_held_out.png", scale=2)
    return result.summary()


def investigation() -> str:
    config = read_investigation_config(HERE / "investigations/loans.yaml", effort="quick")
    with TemporaryDirectory() as scratch:
        found = investigate(config, Path(scratch) / "loans")
        figure = next(one for title, one in shrinkage(found).items() if title.endswith("(probability)"))
    figure.write_image(FOLDER / "investigation.png", scale=2)
    return headline(found)


DRAWN: dict[str, Callable[[], str]] = {
    "heads": heads,
    "patching": patching,
    "circuit": circuit,
    "lens": lens,
    "probe": probe,
    "attribution": attribution,
    "effects": effects,
    "features": features,
    "frontier": frontier,
    "steering": steering,
    "sources": sources,
    "sweep": sweep,
    "investigation": investigation,
}


def main(names: list[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or DRAWN:
        print(DRAWN[name](), end="\n\n")


if __name__ == "__main__":
    main(sys.argv[1:])
