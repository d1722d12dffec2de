"""One pass over held-out text: everything that is added up by document."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.hooks import device_of, record, require_finite
from interp_lab.sae.activations.reading import Piece
from interp_lab.sae.evaluation.losses import cross_entropy, divergence, log_probabilities, next_tokens, padding_of
from interp_lab.sae.evaluation.reconstruction import VARIANTS, token_sums
from interp_lab.sae.evaluation.splice import spliced
from interp_lab.sae.evaluation.sums import DocumentSums
from interp_lab.types import Codec, HookedModel


class NonFiniteReconstructionError(ValueError):
    """A codec made NaN or inf of finite activations, or the model of its reconstructions; the message names it."""


class Pass:
    """What is known after some batches; memory grows with documents and latents, not with tokens."""

    def __init__(
        self,
        model: HookedModel,
        codecs: Mapping[str, Codec],
        *,
        hook: str,
        centre: Float[Tensor, " d_in"],
        unigram: Float[Tensor, " d_vocab"],
        variants: Sequence[str] = (),
    ) -> None:
        self.model, self.codecs, self.hook, self.variants = model, codecs, hook, variants
        self.centre = centre
        """Somewhere near the mean: squares are taken around it, to keep their digits."""
        self.unigram = unigram
        """What each token costs who knows only how often tokens come (nats)."""
        self.sums = DocumentSums()
        self.fired: dict[str, Int[Tensor, " latent"]] = {}
        """On how many tokens each latent was active, by codec."""

    @torch.inference_mode()
    def read(self, piece: Piece) -> None:
        """Run the model on one batch: untouched, and then with each codec's reconstruction in place.

        Raises: NonFiniteActivationError; NonFiniteReconstructionError; ValueError, for a reconstruction of another
            shape.
        """
        tokens = piece.tokens.long().to(device_of(self.model))
        kept = piece.kept.to(tokens.device)
        if not kept.any():
            return
        with record(self.model, [self.hook]) as found:
            logits = self.model(tokens)
        activation = found[self.hook]
        rows = activation.flatten(2)[kept].float()
        if not rows.isfinite().all():
            require_finite(self.model, tokens)
        places = self.sums.rows(piece.labels.documents, piece.digests)
        following, there = next_tokens(tokens, kept, padding=padding_of(self.model))
        clean = log_probabilities(logits, kept)
        del logits
        text = self._of_text(rows, there) | {"ce_clean": cross_entropy(clean, following, there)}
        frequency = self.unigram.to(tokens.device)[following]
        self._add(places, text | {"ce_unigram": torch.where(there, frequency, 0.0)})
        for name in self.codecs:
            rebuilt, sums = self._of_codec(name, rows, number=piece.number)
            changed = spliced(self.model, tokens, activation, hook=self.hook, kept=kept, rows=rebuilt)
            other = log_probabilities(changed, kept)
            sums |= {"ce": cross_entropy(other, following, there), "kl": divergence(clean, other)}
            if not sums["ce"].isfinite().all():
                raise NonFiniteReconstructionError(
                    f"batch {piece.number}: with {name!r} in place at {self.hook} predictions are NaN or inf; its "
                    f"reconstructions may be too large for {activation.dtype}: load the model as float32"
                )
            self._add(places, {f"{quantity}/{name}": values for quantity, values in sums.items()})

    def _add(self, places: Int[Tensor, " row"], sums: Mapping[str, Tensor]) -> None:
        for name, values in sums.items():
            self.sums.add(name, places, values)

    def _of_text(self, rows: Float[Tensor, "row d_in"], there: Bool[Tensor, " row"]) -> dict[str, Tensor]:
        around = rows.double() - self.centre.double()
        return {
            "tokens": torch.ones(len(rows)),
            "predicted": there.double(),
            "around": around,
            "around_squared": around.square().sum(-1),
        }

    def _of_codec(
        self, name: str, rows: Float[Tensor, "row d_in"], *, number: int
    ) -> tuple[Float[Tensor, "row d_in"], dict[str, Tensor]]:
        """Return the reconstruction, and what is added up about it."""
        codec = self.codecs[name]
        latents = codec.encode(rows)
        active = latents != 0
        rebuilt = codec.decode(latents)
        if rebuilt.shape != rows.shape:
            raise ValueError(
                f"{name!r} makes {tuple(rebuilt.shape)} of activations of shape {tuple(rows.shape)} at {self.hook}; "
                "use a codec that was made for this hook point"
            )
        if not rebuilt.isfinite().all():
            bad = int((~rebuilt.isfinite().all(-1)).sum())
            raise NonFiniteReconstructionError(
                f"batch {number}: {name!r} reconstructs {bad} of {len(rows)} finite activations at {self.hook} as NaN "
                "or inf; check its weights, and that it was trained here"
            )
        fired = active.sum(0)
        self.fired[name] = self.fired.get(name, torch.zeros_like(fired)) + fired
        sums = token_sums(rows, rebuilt.float()) | {"n_active": active.sum(-1).double()}
        return rebuilt, sums | {one: VARIANTS[one](rows, rebuilt.float()) for one in self.variants}
