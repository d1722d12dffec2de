"""Rows of `interp-lab verify`: head types and ablation effects of compiled models, and sabotaged twins."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.experiment import AttentionHeads
from interp_lab.attention.head_types import SECOND_COPY
from interp_lab.attention.heads import chance_scores, head_scores, heads_that_look, typed_heads
from interp_lab.attention.masks import HEAD_TYPES, MaskOf
from interp_lab.attention.result import AttentionHeadsResult
from interp_lab.attention.token_circuits import copied_tokens, token_states
from interp_lab.attention.verdicts import Verdict
from interp_lab.attention.weights import head_weights
from interp_lab.engine import Effects, sweep
from interp_lab.experiment import KnownAnswer
from interp_lab.interventions import Ablation, ablations
from interp_lab.metrics import logit_difference
from interp_lab.models import load_model
from interp_lab.models.readings import unembedding
from interp_lab.organisms.compiled import ATTENTION_TYPES, CompiledModel, compile_model, compiled_names
from interp_lab.organisms.repeats import repeated_twice
from interp_lab.types import HeadIndex, Site, Tokens, head_name

TOLERANCE = 1e-3
"""Of logit differences; attention is saturated to about one part in ten thousand."""


def off_by_one(mask: MaskOf) -> MaskOf:
    """Return a mask that looks one token too late, as a wrong diagonal would."""

    def shifted(tokens: Tokens) -> Tensor:
        return torch.nn.functional.pad(mask(tokens)[:, :, :-1], (1, 0), value=False).tril()

    return shifted


SHIFTED_TYPES: Mapping[str, MaskOf] = {kind: off_by_one(mask) for kind, mask in HEAD_TYPES.items()}


def reads_head_types(name: str, *, types: Mapping[str, MaskOf] = HEAD_TYPES) -> tuple[bool, str]:
    """Whether exactly the heads that a compiled model has of each attention type are found."""
    compiled = compile_model(name)
    symbols = range(min(compiled.symbols), max(compiled.symbols) + 1)
    tokens = repeated_twice(32, len(symbols) // 2, seed=0, symbols=symbols).tokens
    scores = head_scores(load_model(name), tokens, types=types)
    found = typed_heads(heads_that_look(scores, chance_scores(tokens, types), at_least=0.9, fdr=0.05, seed=0))
    known = {head: kinds & set(ATTENTION_TYPES) for head, kinds in compiled.truth.head_types.items()}
    right = {head: set(kinds) for head, kinds in found.items()} == {head: set(k) for head, k in known.items() if k}
    return right, ", ".join(f"{head_name(head)} {'+'.join(kinds)}" for head, kinds in found.items()) or "no types"


def zero_ablation(compiled: CompiledModel, groups: Sequence[Sequence[HeadIndex]]) -> Effects:
    """Return what zero-ablating groups of heads does to the logit difference on the model's own clean prompts."""
    pairs = compiled.sample_pairs(16, seed=0)
    model = load_model(compiled.name)
    sites = [[Site.of_head(*head) for head in group] for group in groups]
    metric = logit_difference(pairs.answers, pairs.wrong)
    return sweep(model, pairs.clean, ablations(model, sites, kind=Ablation.ZERO), metric)


def reads_effects(name: str, *, sign: int = 1, head_offset: int = 0) -> tuple[bool, str]:
    """Whether the zero ablation of every head has the effect that was worked out by hand.

    Args:
        sign: -1 is a sabotage.
        head_offset: ablate the head that many places further on; anything but 0 is a sabotage.
    """
    compiled = compile_model(name)
    n_heads = compiled.config["n_heads"]
    heads = sorted(compiled.truth.head_types)
    ablated = [[(layer, (head + head_offset) % n_heads)] for layer, head in heads]
    changes = sign * zero_ablation(compiled, ablated).changes
    expected = [-compiled.truth.total_effects.get(head, 0.0) for head in heads]
    worst = max(abs(changes[nth] - value).max() for nth, value in enumerate(expected))
    moved = [head_name(head) for nth, head in enumerate(heads) if abs(changes[nth]).max() > TOLERANCE]
    return bool(worst < TOLERANCE), f"{', '.join(moved) or 'no head'} matter; largest error {worst:.1e} logits"


def _redundant_pair() -> list[HeadIndex]:
    knockouts = compile_model("compiled/backup").truth.knockouts
    return sorted(next(k.heads for k in knockouts if k.method == "zero" and not k.survives))


def reads_backup(*, pair: Sequence[HeadIndex] | None = None) -> tuple[bool, str]:
    """Whether the redundant pair is seen for what it is: neither head matters alone, both together do."""
    compiled = compile_model("compiled/backup")
    heads = _redundant_pair() if pair is None else list(pair)
    alone_first, alone_second, together = abs(zero_ablation(compiled, [[heads[0]], [heads[1]], heads]).changes).max(-1)
    flagged = max(alone_first, alone_second) < TOLERANCE < compiled.truth.logit_difference / 2 < together
    return bool(flagged), f"alone {alone_first:.3f} and {alone_second:.3f}, together {together:.1f} logits"


def _measured(name: str) -> AttentionHeadsResult:
    config = AttentionHeadsConfig(
        model=name, period=8, second_period=10, held_out_period=6, n_sequences=32, ablations=(Ablation.ZERO,)
    )
    return AttentionHeads(config).measure(load_model(name))


def flags_look_alikes(*, roll: int = 0) -> tuple[bool, str]:
    """Whether heads that only look like induction heads are said to, and the one that acts is said to act.

    Args:
        roll: take the effects of the head so many places further on; anything but 0 is a sabotage.
    """
    found = _measured("compiled/look-alike")
    effects = {key: replace(one, changes=np.roll(one.changes, roll, axis=2)) for key, one in found.effects.items()}
    found = replace(found, effects=effects)
    truth = compile_model("compiled/look-alike").truth
    alike = [head for head, kinds in found.looks.of_heads.items() if "induction" in kinds]
    said = {head: found.verdict(head, SECOND_COPY) for head in alike}
    expected = {head: Verdict.LOOKS_AND_ACTS if head in truth.needed else Verdict.LOOKS_ONLY for head in alike}
    told = ", ".join(f"{head_name(head)} {verdict}" for head, verdict in said.items())
    return bool(len(alike) > 1 and said == expected), told


def flags_backup(*, blind: bool = False) -> tuple[bool, str]:
    """Whether a head that looks the part and does nothing alone is seen to act together with its backup.

    Args:
        blind: take the sum of each alone for what the two do together, a sabotage.
    """
    found = _measured("compiled/backup")
    if blind:
        sums = [
            np.stack([sum(one.changes[0][head] for head in s.heads) for s in found.sets])
            for one in found.effects.values()
        ]
        blinded = [replace(one, sets=own) for one, own in zip(found.effects.values(), sums, strict=True)]
        found = replace(found, effects=dict(zip(found.effects, blinded, strict=True)))
    head, backup = _redundant_pair()
    said = found.says(head, SECOND_COPY)
    return said == f"{Verdict.BACKED_UP} by {head_name(backup)}", f"{head_name(head)} {said}"


def reads_copying(name: str, *, shift: int = 0) -> tuple[bool, str]:
    """Whether exactly the heads that were compiled to copy raise every symbol's own logit above all others.

    Args:
        shift: ask for the logit of the symbol so many places further on; anything but 0 is a sabotage.
    """
    compiled, model = compile_model(name), load_model(name)
    symbols = torch.tensor(compiled.symbols)
    states, unembed = token_states(model, symbols, through_mlp0=False), unembedding(model)
    copied = copied_tokens(head_weights(model), states, unembed=unembed, tokens=symbols.roll(-shift), top=1)
    found = [head_name((layer, head)) for layer, head in copied.all(-1).nonzero().tolist()]
    return set(found) == set(compiled.truth.heads_of_type("copying")), ", ".join(found) or "no head copies"


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    return [
        *[
            KnownAnswer(
                f"attention scores, {name}",
                "each head's types as compiled",
                partial(reads_head_types, name),
                partial(reads_head_types, name, types=SHIFTED_TYPES),
            )
            for name in compiled_names()
        ],
        *[
            KnownAnswer(
                f"head ablation, {name}",
                f"{', '.join(head_name(head) for head in sorted(compile_model(name).truth.needed))} matter, "
                "by the amounts worked by hand",
                partial(reads_effects, name),
                partial(reads_effects, name, **sabotage),
            )
            for name, sabotage in zip(compiled_names(), _sabotages(), strict=True)
        ],
        *[
            KnownAnswer(
                f"copying by weights, {name}",
                f"{', '.join(compile_model(name).truth.heads_of_type('copying'))} copy",
                partial(reads_copying, name),
                partial(reads_copying, name, shift=1),
            )
            for name in compiled_names()
            if compile_model(name).truth.heads_of_type("copying")
        ],
        KnownAnswer(
            "looks against acts, compiled/look-alike",
            "1.0 looks and acts, 1.1 and 1.2 only look",
            flags_look_alikes,
            partial(flags_look_alikes, roll=1),
        ),
        KnownAnswer(
            "looks against acts, compiled/backup",
            "1.0 is backed up by 2.1",
            flags_backup,
            partial(flags_backup, blind=True),
        ),
        KnownAnswer(
            "set ablation, compiled/backup",
            "the pair matters together, neither head alone",
            reads_backup,
            partial(reads_backup, pair=[(1, 0), (2, 2)]),
        ),
    ]


def _sabotages() -> list[dict[str, int]]:
    return [{"sign": -1} if nth % 2 else {"head_offset": 1} for nth, _ in enumerate(compiled_names())]
