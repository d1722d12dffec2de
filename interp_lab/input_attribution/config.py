"""The config of input attribution."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from interp_lab.config import ModelConfig
from interp_lab.effects.config import LEAST_LOGITS, LeastLogits, PairsConfig
from interp_lab.input_attribution.baselines import BaselineName
from interp_lab.input_attribution.methods import MethodName, Settings
from interp_lab.input_attribution.removal import Removal
from interp_lab.input_attribution.targets import TargetName


class InputAttributionConfig(ModelConfig):
    """Which tokens does an answer hang on, which methods say so, and which of them can be believed?

    Every map is checked against what removing the tokens does that it ranks first, beside random orders, and against
    exact patching token by token, on the clean prompts of pairs.
    """

    task: str = "grammar/indirect_objects"
    """Where pairs come from: a task by name, or a `.jsonl` file (`interp-lab init-task` writes one)."""
    n_pairs: Annotated[int, Field(ge=16)] = 96
    """Pairs of templates that are not held out: half to choose a method on, half to report."""
    n_held_out: Annotated[int, Field(ge=8)] | None = 48
    """Pairs of held-out templates, on which what was found is confirmed; `None` leaves replication out."""
    target: TargetName = "logit_difference"
    """What is attributed, at the place of the answer; `continuation` is the log-probability of the whole answer."""
    methods: tuple[MethodName, ...] = Field(
        (
            "saliency", "input_x_gradient", "integrated_gradients", "occlusion", "leave_one_out", "attention",
            "attention_rollout",
        ),
        min_length=1,
    )  # fmt: skip
    """How; `shap` and `captum_gradient_shap` need the extras of that name."""
    baselines: tuple[BaselineName, ...] = Field(("mean", "prompt"), min_length=1)
    """Where integrated gradients start: one map for each. GradientShap takes the first."""
    steps: PositiveInt = 8
    """Of integrated gradients, to begin with; doubled until they are complete."""
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """Largest completeness residual of integrated gradients (share of a prompt's attributions)."""
    max_steps: PositiveInt = 1024
    """Where doubling ends, in an error."""
    shap_permutations: PositiveInt = 4
    """Orders per prompt, each forwards and backwards."""
    removals: tuple[Removal, ...] = Field(("prompt", "mask"), min_length=1)
    """What takes the place of removed tokens; a claim is made under each. Infidelity and metrics rest on the first; the
    map is chosen under `mask`, whether that is among them or not."""
    n_random: Annotated[int, Field(ge=5)] = 10
    """Random orders of each prompt's tokens, the control of every check."""
    n_sets: PositiveInt = 32
    """Random sets of tokens whose removal a map should foretell (infidelity)."""
    n_disturbed: NonNegativeInt = 12
    """Prompts of the report half whose embeddings are disturbed (sensitivity), and whose maps are compared with those
    of models drawn anew; 0 leaves both out. Both are left out for `shap`, which is dear."""
    n_disturbances: PositiveInt = 3
    """Times that each is disturbed."""
    radius: Annotated[float, Field(gt=0)] = 0.02
    """Largest disturbance (share of the standard deviation of embeddings)."""
    n_stages: Annotated[int, Field(ge=1)] = 3
    """Steps of the cascade in which weights are drawn anew, from the unembedding down; the last leaves none trained."""
    smallest_effect: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Smallest effect of interest (share of what all tokens together do to the target)."""
    least_logits: LeastLogits = LEAST_LOGITS
    """What the corruption must cost at least, of the logit difference, to be called a behaviour (logits)."""
    n_strips: NonNegativeInt = 4
    """Prompts shown token by token."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over all that is tested; also the level of claims."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 256
    """Prompts per forward pass."""
    memory_budget: PositiveInt | None = None
    """Bytes of activations in flight while patching; see `engine.sweep`."""
    seed: NonNegativeInt = 0

    @field_validator("methods", "baselines", "removals")
    @classmethod
    def _each_once(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(given)) < len(given):
            raise ValueError(f"{', '.join(given)}: one comes twice; name each once")
        return given

    def drawn_as(self) -> PairsConfig:
        """Return the config of the pairs alone."""
        shared = ("model", "task", "n_pairs", "n_held_out", "seed", "fdr", "level")
        return PairsConfig(**{name: getattr(self, name) for name in shared})

    def maps(self) -> "tuple[tuple[str, MethodName, Settings], ...]":
        """Return the maps that are made: the name of each, its method, and what the method is told."""
        made: list[tuple[str, MethodName, Settings]] = []
        for method in self.methods:
            starts = self.baselines if method == "integrated_gradients" else self.baselines[:1]
            for baseline in starts:
                name = method.replace("_", " ") + (f" ({baseline})" if method == "integrated_gradients" else "")
                made.append((name, method, self._settings(baseline)))
        return tuple(made)

    def _settings(self, baseline: BaselineName) -> Settings:
        return Settings(
            baseline=baseline,
            steps=self.steps,
            tolerance=self.tolerance,
            max_steps=self.max_steps,
            shap_permutations=self.shap_permutations,
            seed=self.seed,
        )
