"""Directions that other runs made: a probe, what a latent writes, a file of directions."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from interp_lab.config import RunRef
from interp_lab.directions.saved import load_directions
from interp_lab.directions.vectors import Directions
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.models import identity_of
from interp_lab.runs import RunFolder, read_run
from interp_lab.runs.consumed import BUNDLED, IN_RUN, require_usable_in_fold
from interp_lab.runs.files import Fingerprint, RunError, read_checked
from interp_lab.types import HookedModel, nearest

PROBES = "probes"
"""The experiment whose runs hold probes."""
CONFIG, RECORD, WEIGHTS = "cfg.json", "interp_lab.json", "sae_weights.safetensors"
"""What folders of autoencoders hold."""
DIRECTIONS = "directions"
"""Folder of a run in which directions are kept."""


def from_run(ref: RunRef, model: HookedModel) -> Directions:
    """Return a direction that another run made, for a model in memory.

    What `ref.artefact` names depends on what is in `ref.run`:

    - a run of `probes`: `LABEL`, such as `grammar/truth/is_true`, is its probe at the chosen site, which points to the
      second value and is as long as the gap between the class means along it; `LABEL@SITE` is that at another site
      (`2.hook_resid_post`), as long as the weights that were fitted.
    - a folder of an autoencoder, or the name of a bundled one: `#LATENT`; a run that trained some: `NAME#LATENT`. What
      the latent writes, per unit of its value.
    - any other run: `NAME`, a file in its folder `directions`.

    `about["length"]` says which length it has.

    Raises: ValueError (RunError, where it is the run's), for a run or artefact that is not there, incomplete or
        changed; a probe of three classes or more; or what belongs to another model, weight processing or hook point;
        FoldError, for what may not be used in the fold in force.
    """
    require_usable_in_fold(ref)
    folder = sae_folder(ref)
    if folder is not None:
        found = _decoder_row(folder, ref, identity_of(model))
    else:
        run, path = read_run(ref.run), _file(ref)
        is_probe = run.experiment == PROBES and not path.is_file()
        found = _probe(run, ref) if is_probe else _read(path)
    found.require_fits(model)
    return found


def made_on(ref: RunRef) -> tuple[str, WeightProcessing]:
    """Return the name and the weight processing of the model that a direction was made on; its weights are not read.

    Raises: ValueError, as `from_run`, for a run or artefact that is not there or does not say where it belongs.
    """
    folder = sae_folder(ref)
    if folder is not None:
        if (folder / RECORD).is_file():
            identity = ModelIdentity.from_dict(json.loads((folder / RECORD).read_bytes())["model"])
            return identity.name, identity.processing
        return _said(folder, json.loads((folder / CONFIG).read_bytes()).get("metadata") or {})
    run, path = read_run(ref.run), _file(ref)
    is_probe = run.experiment == PROBES and not path.is_file()
    identity = ModelIdentity.from_dict(dict(run.provenance["model"])) if is_probe else _read(path).model
    return identity.name, identity.processing


def _probe(run: RunFolder, ref: RunRef) -> Directions:
    label, _, site = ref.artefact.partition("@")
    arrays = run.arrays()
    labels = [str(arrays[f"{nth}_label"]) for nth in range(int(arrays["n_labels"]))]
    if label not in labels:
        raise ValueError(f"{ref.run} has no probe of {label!r}{nearest(label, labels)}; it has {', '.join(labels)}")
    own = {name: arrays[f"{labels.index(label)}_{name}"] for name in _OF_A_PROBE}
    values, positions = own["values"].tolist(), own["positions"].tolist()
    if len(values) > 2:
        raise ValueError(f"{label} has {len(values)} classes and no one direction; probe two values")
    places = [f" at {place}" if len(positions) > 1 else "" for place in positions]
    sites = [hook.removeprefix("blocks.") + place for hook in own["hooks"].tolist() for place in places]
    if site and site not in sites:
        raise ValueError(f"{label} was not probed at {site!r}{nearest(site, sites)}; it was at {', '.join(sites)}")
    nth = sites.index(site) if site else int(own["chosen"])
    weights, length = torch.as_tensor(own["weights"][nth]), "weights as fitted"
    if nth == int(own["chosen"]) and len(values) == 2 and len(own["directions"]) == 2:
        unit = torch.nn.functional.normalize(weights, dim=0)
        along = float(torch.as_tensor(own["directions"][1]).to(unit) @ unit)
        if along > 0:
            weights, length = along * unit, "gap between the class means along it"
    about = {"run": str(ref.run), "artefact": ref.artefact, "values": values, "site": sites[nth], "length": length}
    made_on = ModelIdentity.from_dict(dict(run.provenance["model"]))
    hook = str(own["hooks"][nth // len(positions)])
    return Directions(weights[None], (hook,), made_on, f"{own['kind']} probe", label, about)


_OF_A_PROBE = ("label", "kind", "values", "hooks", "positions", "weights", "chosen", "directions")


def _file(ref: RunRef) -> Path:
    name = ref.artefact.removeprefix(f"{DIRECTIONS}/").removesuffix(".safetensors")
    return ref.run / DIRECTIONS / f"{name}.safetensors"


def _read(path: Path) -> Directions:
    known = sorted(other.stem for other in path.parent.glob("*.safetensors"))
    if not path.is_file():
        raise RunError(
            f"there are no directions {path.stem!r} in {path.parent}{nearest(path.stem, known)}; it has "
            f"{', '.join(known) or 'none'}: name one of those, or a run of probes or sae_training"
        )
    return load_directions(path)


def sae_folder(ref: RunRef) -> Path | None:
    """Return the folder of the autoencoder that is meant; `None` if none is.

    Raises: ValueError, for a latent of an autoencoder that is not there.
    """
    name = ref.artefact.partition("#")[0].removeprefix(f"{IN_RUN}/")
    places = (ref.run / IN_RUN / name, ref.run, BUNDLED / ref.run.name)
    candidates = places[:1] if name else places[1:]
    found = next((place for place in candidates if (place / CONFIG).is_file()), None)
    if found is None and "#" in ref.artefact:
        known = sorted(folder.name for folder in (ref.run / IN_RUN).glob("*"))
        raise ValueError(
            f"artefact {ref.artefact!r} names a latent, and there is no autoencoder {name!r} in {ref.run}"
            f"{nearest(name, known)}; write NAME#LATENT for a run that trained NAME ({', '.join(known) or 'none'} "
            "there), or #LATENT for the folder of one"
        )
    return found


def _decoder_row(folder: Path, ref: RunRef, model: ModelIdentity) -> Directions:
    _, _, number = ref.artefact.partition("#")
    if not number.isdecimal():
        raise ValueError(f"artefact {ref.artefact!r} names no latent of {folder}; write its number behind #, as in #12")
    config = json.loads((folder / CONFIG).read_bytes())
    made_on, hook = belongs(folder, config, model)
    row = _row(folder, int(number))
    if config.get("rescale_acts_by_decoder_norm"):
        row = torch.nn.functional.normalize(row, dim=0)
    about = {"sae": str(ref.run), "latent": int(number), "length": "per unit of the latent"}
    return Directions(row[None], (hook,), made_on, "sae decoder", f"{folder.name}#{number}", about)


def belongs(folder: Path, config: dict[str, Any], model: ModelIdentity) -> tuple[ModelIdentity, str]:
    """Return the model and the hook point that an autoencoder writes to, as its own record or SAE Lens's says."""
    metadata = config.get("metadata") or {}
    writes = metadata.get("hook_name_out") or metadata.get("hook_name")
    if (folder / RECORD).is_file():
        record = json.loads((folder / RECORD).read_bytes())
        for name, expected in record["files"].items():
            read_checked(folder / name, Fingerprint(**expected))
        return ModelIdentity.from_dict(record["model"]), metadata.get("hook_name_out") or record["hook"]
    name, processing = _said(folder, metadata)
    sizes = {"n_layers": model.n_layers, "d_model": model.d_model, "d_vocab": model.d_vocab}
    return ModelIdentity(name, processing, **sizes), str(writes)


def _said(folder: Path, metadata: dict[str, Any]) -> tuple[str, WeightProcessing]:
    """Return the model, by name, and the processing that SAE Lens's metadata say."""
    writes = metadata.get("hook_name_out") or metadata.get("hook_name")
    if not writes or not metadata.get("model_name"):
        raise ValueError(
            f"{folder} does not say which model and hook point it was trained on; write model_name and hook_name into "
            f"the metadata of its {CONFIG}"
        )
    asked = metadata.get("model_from_pretrained_kwargs") or {}
    steps = {step: bool(asked.get(step, False)) for step in WeightProcessing.__dataclass_fields__}
    return str(metadata["model_name"]), WeightProcessing(**steps)


def _row(folder: Path, latent: int) -> Tensor:
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            rows = file.get_slice("W_dec")
            n_latents = rows.get_shape()[0]
            if latent >= n_latents:
                raise ValueError(f"latent {latent} is out of range: {folder} has latents 0 to {n_latents - 1}")
            return rows[latent].float()
    except (SafetensorError, OSError) as error:
        raise RunError(f"{folder / WEIGHTS} cannot be read ({error}); train or copy the autoencoder again") from error
