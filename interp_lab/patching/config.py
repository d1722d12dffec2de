"""The config of the activation-patching experiment."""

from typing import Annotated

from pydantic import Field, PositiveInt, field_validator

from interp_lab.effects.config import AnswerConfig
from interp_lab.effects.confirming import Stated
from interp_lab.effects.parts import Partners
from interp_lab.patching.sites import GRANULARITIES, Granularity, Places
from interp_lab.types import Site


class PatchingConfig(AnswerConfig):
    """Which activations carry the difference between clean and corrupted prompts to the answer?

    Every site is patched both ways, clean into corrupted (denoising) and corrupted into clean (noising), and compared
    with patches from an independent prompt of the same template.
    """

    partners: Partners = "auto"
    """What controls take their values from: another prompt of the template with the same answers, right and wrong, or
    with any; see `effects.parts.Partners`."""
    sites: tuple[Granularity, ...] = Field(("resid_pre", "z"), min_length=1)
    """What is patched, one map each. Layer by place: `resid_pre`, `resid_mid`, `resid_post`, `attn_out`, `mlp_out`;
    layer by head, at all positions: `z`, `q`, `k`, `v`, `pattern`; head by place: `z_by_place`; layer by neuron, at all
    positions: `neurons`."""
    places: Places = "role"
    """Columns of the maps by place: what a position is to the prompt (its subject, its end), which works across
    templates; or its number, for prompts that are all of one template."""
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Sites of your own that are patched together, by name; heads as `1.3`, any hook point by its name, with `[head]`,
    `@position` and `#neuron` behind it."""
    n_top: PositiveInt = 3
    """Sites of each map that are chosen, by what denoising or noising them does on the selection split: the larger."""
    chosen: Stated | None = None
    """What is tested, by name, in place of what the selection split would choose: cells of the maps, such as `1.3` or
    `2.hook_resid_pre at end`. Only these are then patched."""
    n_random_sets: Annotated[int, Field(ge=5)] = 20
    """Random sets of as many sites, which the chosen ones are compared with when patched together."""
    sites_at_once: PositiveInt | None = None
    """Sites of one sweep, of which there are some for each patch and split: what processes can share. `None` takes all.
    Effects do not depend on it but for the last bits of a float."""
    smallest_effect: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Smallest effect of interest (share of the total effect of the corruption)."""

    @field_validator("sites")
    @classmethod
    def _each_once(cls, sites: tuple[Granularity, ...]) -> tuple[Granularity, ...]:
        if len(set(sites)) < len(sites):
            raise ValueError(f"sites names one map twice: {', '.join(sites)}; there are {', '.join(GRANULARITIES)}")
        return sites

    @field_validator("groups")
    @classmethod
    def _readable(cls, groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, sites in groups.items():
            if not sites:
                raise ValueError(f"group {name!r} names no site; give at least one, such as '1.3'")
            for site in sites:
                Site.named(site)
        return groups
