"""Statistics of features section by section, by any number of processes: the same as of one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from interp_lab.models.fingerprint import weights_fingerprint
from interp_lab.runs.parts import Arrays, Parts, key_of
from interp_lab.sae.activations.documents import text_fingerprint
from interp_lab.sae.features.config import DescribeConfig
from interp_lab.sae.features.describe import gather_sections, joined, read_text
from interp_lab.sae.features.dictionary import Dictionary
from interp_lab.sae.features.gathered import Gathered, gathered_from
from interp_lab.sae.training import LoadedSae
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class DividedFeatures:
    """The sections of a text as parts; whoever makes one reads the text up to it, and runs the model on it alone."""

    model: HookedModel
    dictionary: Dictionary
    config: DescribeConfig

    @property
    def n_parts(self) -> int:
        """Sections."""
        return self.config.sections

    @property
    def inputs(self) -> str:
        """Checksum of the text, and of the weights of the autoencoder if it is one."""
        codec = self.dictionary.codec
        return key_of({
            "text": text_fingerprint(read_text(self.dictionary, self.config, n_windows=1)),
            "codec": weights_fingerprint(codec.sae) if isinstance(codec, LoadedSae) else self.dictionary.name,
        })  # fmt: skip

    def make(self, numbers: Sequence[int]) -> Iterator[tuple[int, Arrays]]:
        """Yield what each of some sections leaves; raises as `gather`."""
        for number, found in gather_sections(self.model, self.dictionary, self.config, numbers):
            yield number, {name: torch.from_numpy(value.copy()) for name, value in found.arrays().items()}

    def joined(self, parts: Parts) -> Gathered:
        """Return what all sections make together.

        Raises: RunError, if a part is missing or damaged.
        """
        read = ({name: one.numpy() for name, one in parts.read(number).items()} for number in range(parts.n))
        return joined(gathered_from(arrays, self.dictionary.n_latents, self.config) for arrays in read)
