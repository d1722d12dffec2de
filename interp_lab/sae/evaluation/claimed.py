"""What may be said of an autoencoder: its reconstruction, put in place, against a baseline's."""

from dataclasses import dataclass, replace

from interp_lab.claims import Claim, Evidence, Split
from interp_lab.sae.evaluation.compared import COMPARED, Compared, Pair
from interp_lab.sae.evaluation.measured import MEAN
from interp_lab.stats import mean_interval
from interp_lab.types import Interval

ALIKE = "about as much"


@dataclass(frozen=True)
class Claimed(Compared):
    """The measurements, and claims on them."""

    def claims(self) -> list[Claim]:
        """Return a claim per autoencoder and baseline: does it keep more of the predictions?

        The effect is how many nats of what mean ablation costs are kept, the control that of the baseline on the same
        documents. Nothing was chosen on them.
        """
        if not self.compared:
            return []
        return [self._claim(pair, nth) for nth, pair in enumerate(self.compared)]

    def told(self, name: str) -> list[tuple[str, str]]:
        """Return what one autoencoder keeps beside each of its baselines: `more`, `less`, alike, or not clear."""
        pairs = [(nth, pair[1]) for nth, pair in enumerate(self.compared) if pair[0] == name]
        return [(other, _told(self._beyond(nth), margin=self.config.smallest_effect)) for nth, other in pairs]

    def _beyond(self, nth: int) -> Interval:
        """Return how much lower the loss is with an autoencoder than with a baseline."""
        more = self.differences.intervals.at(COMPARED.index("ce"), nth)
        return replace(more, estimate=-more.estimate, low=-more.high, high=-more.low)

    def _kept(self, name: str) -> Interval:
        """Return how much lower the loss is with a codec in place than with the mean."""
        loss = self.values[self.metric_names.index("ce")]
        kept = loss[self.names.index(MEAN)] - loss[self.names.index(name)]
        return mean_interval(kept, level=self.config.level, seed=self.config.seed)

    def _claim(self, pair: Pair, nth: int) -> Claim:
        (name, other), ce = pair, COMPARED.index("ce")
        beyond, margin = self._beyond(nth), self.config.smallest_effect
        told = _told(beyond, margin=margin)
        than = "as" if told == ALIKE else "than"
        what = dict(zip(self.names, self.described, strict=True))[other]
        evidence = Evidence(
            what=f"{name} in place of mean ablation at {self.hook}: fall of the loss",
            unit="nats per token",
            effect=self._kept(name),
            versus_control=beyond,
            p_adjusted=float(self.p_adjusted[ce, nth]),
            control=f"{other}: {what}",
            split=Split.REPORT,
            n_examples=self.n_documents,
            margin=margin,
            p=float(self.differences.p[ce, nth]),
        )
        shares = " against ".join(str(self.interval(one, "ce_recovered_mean")) for one in pair)
        r2 = " against ".join(str(self.interval(one, "r2")) for one in pair)
        return Claim(
            f"In place of the activations at {self.hook}, {name} keeps {told} of the predictions {than} {what}",
            f"of what mean ablation costs {shares}; R2 {r2}",
            evidence,
        )


def _told(beyond: Interval, *, margin: float) -> str:
    """Return what an interval says: more or less only clear of the margin, and alike only where it is all within."""
    if beyond.low > margin:
        return "more"
    if beyond.high < -margin:
        return "less"
    return ALIKE if -margin <= beyond.low and beyond.high <= margin else "not clearly more or less"
