"""Decode: every row by its own settings, steered at absolute positions, audited, step by step or at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

import torch
from jaxtyping import Bool
from torch import Tensor

from interp_lab.decoding.acting import Acting
from interp_lab.decoding.audit import Audit, Auditor
from interp_lab.decoding.batch import Batch
from interp_lab.decoding.forward import forward_for
from interp_lab.decoding.prompts import Prompts, prompt_ids, require_room, tokenizer_of
from interp_lab.decoding.result import Decoded, Step
from interp_lab.decoding.sampling import Sampler
from interp_lab.decoding.settings import DecodingSettings, StopReason, per_row
from interp_lab.decoding.steer import Steer
from interp_lab.decoding.watching import Watcher, ended_by, looks_of
from interp_lab.hooks import Edit, NonFiniteActivationError, edited, require_editable, require_hook, watched
from interp_lab.interventions import Op, require_intervention
from interp_lab.types import HookedModel

OWN_FUNCTION = "own function"
"""What an audit calls a hook function of the caller's own."""


class Decoding:
    """A decoding under way: iterate for its steps, ask for its `result` at any time.

    Between steps no hook is installed and no gradient mode is changed, so the model is free for other use,
    and an iteration may be left at any point.
    """

    def __init__(
        self,
        model: HookedModel,
        prompts: Prompts,
        settings: DecodingSettings | Sequence[DecodingSettings],
        *,
        steers: Sequence[Steer] = (),
        functions: Mapping[str, Edit] | None = None,
        watcher: Watcher | None = None,
        cache: bool = True,
        allow_no_change: bool = False,
    ) -> None:
        ids = prompt_ids(model, prompts)
        end = getattr(tokenizer_of(model), "eos_token_id", None)
        self._settings = per_row(settings, n_rows=len(ids), end_of_text=end)
        require_room(model, ids, self._settings)
        for steer in steers:
            require_intervention(model, steer.intervention)
            steer.require_rows(len(ids))
            if sum(other.name == steer.name for other in steers) > 1:
                raise ValueError(f"two steers are called {steer.name!r}; name their interventions apart")
        self._model, self._prompts, self._allow_no_change = model, ids, allow_no_change
        self._given, self._functions, self._watcher = tuple(steers), dict(functions or {}), watcher
        for hook in () if watcher is None else watcher.hooks:
            require_hook(model, hook)
        self._batch = Batch(ids, n_new=max(s.max_new_tokens for s in self._settings))
        self._forward = forward_for(model, cache=cache)
        self._sampler = Sampler.of(self._settings, d_vocab=int(model.cfg.d_vocab))
        self._auditor = Auditor(n_rows=len(ids), n_positions=self._batch.width)
        for nth, steer in enumerate(steers):
            for site in steer.intervention.sites:
                require_editable(model, site.hook)
                self._auditor.expect(nth, site.hook)
        for hook in self._functions:
            require_editable(model, hook)
            self._auditor.expect(len(steers), hook)
        self._acting = Acting(self._given, self._batch, self._auditor, self._functions)
        self._tokens: list[list[int]] = [[] for _ in ids]
        self._log_probs: list[list[float]] = [[] for _ in ids]
        self._stops: list[StopReason | None] = [None] * len(ids)
        self._n_steps = 0

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        if self._finished():
            raise StopIteration
        with self._installed():
            return self._step()

    def to_end(self) -> Decoded:
        """Go on until every row has stopped; hooks are installed once, which is cheaper than step by step."""
        if not self._finished():
            with self._installed():
                while len(self._batch.rows):
                    self._step()
            self._require_touch()
        return self.result()

    def _finished(self) -> bool:
        if len(self._batch.rows):
            return False
        self._require_touch()
        return True

    def result(self) -> Decoded:
        """Return what has been generated so far."""
        return Decoded(
            prompts=tuple(tuple(ids) for ids in self._prompts),
            tokens=tuple(tuple(new) for new in self._tokens),
            log_probs=tuple(tuple(values) for values in self._log_probs),
            stops=tuple(self._stops),
            audit=self._audit(),
            cached=self._forward.cached,
        )

    def _step(self) -> Step:
        with torch.inference_mode():
            logits = self._forward(self._model, self._batch)
            chosen = self._sampler.next_tokens(logits, step=self._n_steps)
            found = logits.float().log_softmax(-1).gather(-1, chosen[:, None])[:, 0]
            # Together, so that the host waits for the device once per step.
            numbers, log_probs = torch.stack([chosen.to(found), found]).tolist()
        rows, tokens = self._batch.rows.tolist(), [int(number) for number in numbers]
        ended = frozenset() if self._watcher is None else ended_by(self._watcher, rows)
        for row, token, log_prob in zip(rows, tokens, log_probs, strict=True):
            if not -torch.inf < log_prob <= 0:
                raise NonFiniteActivationError(
                    f"the logits after {len(self._tokens[row])} new tokens of prompt {row} hold NaN or inf; "
                    "find where it begins with hooks.require_finite, and look at the strength of the steering"
                )
            if row in ended:
                self._stops[row] = StopReason.WATCHED
                continue
            self._tokens[row].append(token)
            self._log_probs[row].append(log_prob)
            self._stops[row] = self._settings[row].stop_reason(self._tokens[row])
        self._advance(tokens, going=torch.tensor([self._stops[row] is None for row in rows]))
        given = [nth for nth, row in enumerate(rows) if row not in ended]
        return Step(
            tuple(rows[nth] for nth in given), tuple(tokens[nth] for nth in given),
            tuple(log_probs[nth] for nth in given), tuple(self._stops[rows[nth]] for nth in given),
            logits if not ended else logits[given], tuple(sorted(ended)),
        )  # fmt: skip

    def _installed(self) -> ExitStack:
        """Return the hooks to be entered: steers and functions, and after them who looks on."""
        sites = (site.hook for steer in self._given for site in steer.intervention.sites)
        hooks = dict.fromkeys([*sites, *self._functions])
        with ExitStack() as stack:
            if hooks:
                stack.enter_context(edited(self._model, {hook: self._acting.edit(hook) for hook in hooks}))
            if self._watcher is not None:
                stack.enter_context(watched(self._model, looks_of(self._watcher, self._batch)))
            return stack.pop_all()

    def _advance(self, tokens: Sequence[int], *, going: Bool[Tensor, " batch"]) -> None:
        """Take the new tokens in, and go on with the rows that have not stopped."""
        self._n_steps += 1
        self._batch.append(tokens)
        if not going.all():
            self._keep(going.nonzero()[:, 0])

    def _keep(self, index: Tensor) -> None:
        self._batch.keep(index)
        if len(index):
            self._forward.keep(index)
            self._sampler = self._sampler.keep(index)
            self._acting.keep(index)

    def _audit(self) -> Audit:
        return self._auditor.audit([*(steer.name for steer in self._given), OWN_FUNCTION])

    def _require_touch(self) -> None:
        audit = self._audit()
        audit.require_touch()
        for steer in self._given:
            doses = None if steer.intervention.op is Op.CLAMP else steer.coefficients  # 0 clamps to 0
            silenced = steer.strength is not None or (doses is not None and not doses.any())
            if not silenced and not self._allow_no_change:
                audit.require_change(steer.name)


def decode(
    model: HookedModel,
    prompts: Prompts,
    settings: DecodingSettings | Sequence[DecodingSettings] | None = None,
    *,
    steers: Sequence[Steer] = (),
    functions: Mapping[str, Edit] | None = None,
    watcher: Watcher | None = None,
    cache: bool = True,
    allow_no_change: bool = False,
) -> Decoded:
    """Generate until every row has stopped.

    Args:
        prompts: texts, or token ids of any lengths; they need no padding.
        settings: for all rows (row `r` then samples with `seed + r`), or one per row. `None` is the defaults.
        steers: interventions and where they act, in order.
        functions: hook functions of your own, by hook point, which act after the steers and are audited like them under
            the name `own function`: as touched count the tokens that they changed when these were last read. A function
            that indexes what it is given means something else with a cache, where that is one token at a time.
        watcher: reads activations as they are after steers and functions, changes none, and may end rows; nothing of
            it is in the audit.
        cache: run each token once where that is exact, see `Decoded.cached`; else everything at every step.
        allow_no_change: accept a steer that acts but changes no activation.

    Raises:
        ValueError, for prompts, settings or steers that do not fit the model or each other, before anything is run.
        TouchedNothingError, if a steer touched nothing, or changed nothing.
        NonFiniteActivationError, if logits are NaN or inf.
    """
    return stream(
        model, prompts, settings, steers=steers, functions=functions, watcher=watcher, cache=cache,
        allow_no_change=allow_no_change,
    ).to_end()  # fmt: skip


def stream(
    model: HookedModel,
    prompts: Prompts,
    settings: DecodingSettings | Sequence[DecodingSettings] | None = None,
    *,
    steers: Sequence[Steer] = (),
    functions: Mapping[str, Edit] | None = None,
    watcher: Watcher | None = None,
    cache: bool = True,
    allow_no_change: bool = False,
) -> Decoding:
    """Return a decoding that yields a `Step` at a time; arguments and errors as those of `decode`.

    `Decoding.result()` is what has been generated so far, with the audit. What a steer touched is checked
    when the steps are exhausted.
    """
    chosen = DecodingSettings() if settings is None else settings
    return Decoding(
        model, prompts, chosen, steers=steers, functions=functions, watcher=watcher, cache=cache,
        allow_no_change=allow_no_change,
    )  # fmt: skip
