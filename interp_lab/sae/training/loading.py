"""Autoencoders from a folder or from a release that SAE Lens knows, and whether they belong to a model."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from sae_lens import SAE
from sae_lens.constants import SAE_CFG_FILENAME
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory
from sae_lens.saes.transcoder import Transcoder
from torch import Tensor

from interp_lab.hooks import require_hook
from interp_lab.identity import ModelIdentity, WeightProcessing, steps_seen_at
from interp_lab.models import identity_of
from interp_lab.models.hub import official_name
from interp_lab.runs.files import read_checked
from interp_lab.sae.training.record import RECORD, SaeRecord
from interp_lab.types import HookedModel, nearest


@dataclass(frozen=True)
class LoadedSae:
    """An autoencoder, or a transcoder, with the place where it belongs; heads of `hook_z` come and go flattened."""

    sae: SAE[Any]
    where: str
    """Folder or release it was loaded from."""
    hook: str
    model_name: str
    processing: WeightProcessing
    """Of the model it was trained on."""
    record: SaeRecord | None
    """What is known of its training; `None` for one that interp_lab did not train."""

    @property
    def d_in(self) -> int:
        """Entries of an activation."""
        return self.sae.cfg.d_in

    @property
    def n_latents(self) -> int:
        """Width."""
        return self.sae.cfg.d_sae

    @property
    def is_transcoder(self) -> bool:
        """Whether it reads one hook point and writes another; it is no `Codec` then, whatever its lengths."""
        return isinstance(self.sae, Transcoder)

    @property
    def hook_out(self) -> str:
        """Where what it makes belongs: at `hook`, but for transcoders."""
        return self.sae.cfg.metadata.hook_name_out if self.is_transcoder else self.hook

    @property
    def d_out(self) -> int:
        """Entries of what it makes."""
        return getattr(self.sae.cfg, "d_out", self.d_in)

    @cached_property
    def decoder_rows(self) -> Float[Tensor, "latent d_in"] | None:
        """What each latent writes per unit of its value; `None` if decoding is not linear but for a constant.

        Then interventions on a few latents decode what changes and nothing else (`interventions.decoder_rows`).
        """
        if self.rescales_tokens:
            return None
        rows = self.sae.W_dec.detach()
        if getattr(self.sae.cfg, "rescale_acts_by_decoder_norm", False):
            rows = rows / rows.norm(dim=-1, keepdim=True)
        return rows if _decodes_by(self.sae, rows) else None

    @property
    def rescales_tokens(self) -> bool:
        """Whether it divides each token by a norm of its own, which decoding takes from what was encoded last.

        Latents alone are no activation then: interventions refuse it (`interventions.require_codec`).
        """
        return self.sae.cfg.normalize_activations in ("layer_norm", "constant_norm_rescale")

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch latent"]:
        """Return the latents of an activation.

        Raises: ValueError, if it is of another length.
        """
        self._require_length(activation)
        return self.sae.encode(activation)

    def decode(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch d_out"]:
        """Return the reconstruction; of a skip transcoder, only what the latents give."""
        return self.sae.decode(latents)

    def made_of(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        """Return what it makes of an activation: decoded latents and, of a skip transcoder, what goes past them.

        Raises: as `encode`.
        """
        self._require_length(activation)
        return self.sae(activation)

    def _require_length(self, activation: Float[Tensor, "*batch d_in"]) -> None:
        if activation.shape[-1] != self.d_in:
            raise ValueError(
                f"activations of {activation.shape[-1]} entries do not fit {self.where}, which was trained on "
                f"{self.d_in} at {self.hook}; read them there (heads flattened)"
            )

    def require_fits(self, model: HookedModel, *, hook: str | None = None) -> None:
        """Refuse a model, a weight processing or a hook point that it was not trained on.

        Raises: ValueError, naming what differs and the way out.
        """
        require_hook(model, self.hook)
        require_hook(model, self.hook_out)
        if hook is not None and self.is_transcoder:
            raise ValueError(
                f"{self.where} is a transcoder: it reads {self.hook} and writes {self.hook_out}, so nothing can be "
                f"rebuilt at {hook}; use sae.transcoding.evaluate_transcoder, or an autoencoder"
            )
        if hook is not None and hook != self.hook:
            raise ValueError(
                f"{self.where} was trained at {self.hook}, not at {hook}; use that hook point or another SAE"
            )
        identity = identity_of(model)
        if self.record is not None:
            made_on = ModelIdentity.from_dict(dict(self.record.model))
            identity.require_same(replace(made_on, processing=identity.processing), what=self.where)
        elif _canonical(identity.name) != _canonical(self.model_name):
            raise ValueError(
                f"{self.where} was trained on {self.model_name}, not on {identity.name}; use its own model"
            )
        seen = steps_seen_at(self.hook) | steps_seen_at(self.hook_out)
        differing = [step for step in self.processing.difference(identity.processing) if step in seen]
        if differing:
            raise ValueError(
                f"{self.where} was trained with weight processing {str(self.processing)!r}, and the model has "
                f"{str(identity.processing)!r}: at {self.hook} {', '.join(differing)} matters; load the model with "
                f"processing={str(self.processing)!r}"
            )


def load_sae(name: str | Path, *, sae_id: str | None = None, device: str = "cpu", dtype: str = "float32") -> LoadedSae:
    """Load an autoencoder from a folder, or from a release of SAE Lens (`gpt2-small-res-jb` and its `sae_id`).

    Raises:
        RunError, if a file of a folder that interp_lab wrote is not what was written.
        ValueError, if there is no such folder or release, the release has no such id, does not say where it
            belongs, or cannot be fetched.
    """
    path = Path(name)
    with warnings.catch_warnings():
        # SAE Lens tells how to load the model; `require_fits` sees to it.
        warnings.filterwarnings("ignore", message="(?s).*non-empty model_from_pretrained_kwargs")
        if (path / SAE_CFG_FILENAME).is_file():
            record = _read_record(path)
            sae = SAE.load_from_disk(path, device=device, dtype=dtype)
        else:
            record = None
            sae = _fetched(*_release(str(name), sae_id), device=device, dtype=dtype)
    sae.turn_off_forward_pass_hook_z_reshaping()
    return _placed(sae, where=f"{name}" if sae_id is None else f"{name}/{sae_id}", record=record)


def _fetched(release: str, sae_id: str, *, device: str, dtype: str) -> SAE[Any]:
    try:
        return SAE.from_pretrained(release, sae_id, device=device, dtype=dtype)
    except OSError as error:
        raise ValueError(
            f"could not fetch {release}/{sae_id} ({type(error).__name__}: {str(error).splitlines()[0]}); where there "
            "is no network, copy its folder here and load that"
        ) from error


def _placed(sae: SAE[Any], *, where: str, record: SaeRecord | None) -> LoadedSae:
    if record is not None:
        made_on = ModelIdentity.from_dict(dict(record.model))
        return LoadedSae(sae, where, record.hook, made_on.name, made_on.processing, record)
    metadata = sae.cfg.metadata
    if not metadata.hook_name or not metadata.model_name:
        raise ValueError(
            f"{where} does not say which model ({metadata.model_name}) and hook point ({metadata.hook_name}) it was "
            "trained on: write model_name and hook_name into the metadata of its cfg.json"
        )
    if isinstance(sae, Transcoder) and not metadata.hook_name_out:
        raise ValueError(
            f"{where} is a transcoder and does not say where it writes: write hook_name_out into the metadata of its "
            "cfg.json"
        )
    processing = _processing_of(metadata.model_from_pretrained_kwargs or {})
    return LoadedSae(sae, where, metadata.hook_name, metadata.model_name, processing, None)


def _processing_of(asked: Mapping[str, Any]) -> WeightProcessing:
    """Return what SAE Lens asks of a model: no processing but what it names."""
    return WeightProcessing(**{step.name: bool(asked.get(step.name, False)) for step in fields(WeightProcessing)})


def _read_record(folder: Path) -> SaeRecord | None:
    path = folder / RECORD
    if not path.is_file():
        return None
    record = SaeRecord.from_mapping(json.loads(path.read_bytes()))
    for name, expected in record.files.items():
        read_checked(folder / name, expected)
    return record


def _release(name: str, sae_id: str | None) -> tuple[str, str]:
    known = get_pretrained_saes_directory()
    if name not in known and "/" not in name:
        raise ValueError(
            f"{name!r} is no folder with a {SAE_CFG_FILENAME}, and no release that SAE Lens knows{nearest(name, known)}"
        )
    ids = list(known[name].saes_map) if name in known else []
    if sae_id is None or (ids and sae_id not in ids):
        hint = nearest(sae_id, ids) if sae_id else ""
        shown = ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
        raise ValueError(f"release {name!r} needs sae_id, not {sae_id!r}{hint}; it has {shown or 'folders of its own'}")
    return name, sae_id


def _decodes_by(sae: SAE[Any], rows: Float[Tensor, "latent d_in"]) -> bool:
    """Whether decoding is these rows times latents, plus a constant, as far as the dtype can tell.

    The probe is so long that the constant is small beside what it gives: what rounds off is then little of that.
    """
    drawn = torch.randn(2, len(rows), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        constant = sae.decode(torch.zeros(1, len(rows), dtype=rows.dtype, device=rows.device)).double()
        size = float((drawn.to(rows.device) @ rows.double()).abs().max())
        longer = max(1.0, 100 * float(constant.abs().max()) / size) if size > 0 else 1.0
        probe = (longer * drawn).to(rows)
        decoded, expected = sae.decode(probe).double() - constant, probe.double() @ rows.double()
    allowed = max(1e-4, 8 * torch.finfo(rows.dtype).eps) * expected.norm()
    return bool((decoded - expected).norm() <= allowed)


def _canonical(name: str) -> str:
    """Return a model's full name on the hub, or the name as it is."""
    return official_name(name) or name
