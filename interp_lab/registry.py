"""Names of experiments, and where their classes are; nothing is imported until it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

CONFIGS = "experiments/configs"
"""Where the repository keeps its configs."""


@dataclass(frozen=True)
class Entry:
    """An experiment: dotted paths `module:Class` of its three parts, and the question it answers."""

    experiment: str
    config: str
    result: str
    question: str


EXPERIMENTS: Mapping[str, Entry] = {
    "behaviour": Entry(
        "interp_lab.behaviour.experiment:Behaves",
        "interp_lab.behaviour.config:BehaviourConfig",
        "interp_lab.behaviour.result:BehaviourResult",
        "Is there anything to explain: does the prompt decide the answer, beyond what an untrained model does?",
    ),
    "audit": Entry(
        "interp_lab.audit.experiment:Audit",
        "interp_lab.audit.config:AuditConfig",
        "interp_lab.audit.result:AuditResult",
        "Which attributes of the input decide the answer, alone or together, and for what do they stand in?",
    ),
    "attention_heads": Entry(
        "interp_lab.attention.experiment:AttentionHeads",
        "interp_lab.attention.config:AttentionHeadsConfig",
        "interp_lab.attention.result:AttentionHeadsResult",
        "Which heads attend like heads of a known type (previous-token, induction, ...), and do they act the part?",
    ),
    "attention_relations": Entry(
        "interp_lab.attention.relations.experiment:AttentionRelations",
        "interp_lab.attention.relations.config:AttentionRelationsConfig",
        "interp_lab.attention.relations.result:AttentionRelationsResult",
        "Which heads attend along syntactic and semantic relations, and does the answer suffer without them?",
    ),
    "patching": Entry(
        "interp_lab.patching.experiment:Patching",
        "interp_lab.patching.config:PatchingConfig",
        "interp_lab.patching.result:PatchingResult",
        "Which activations carry the difference between clean and corrupted prompts to the answer?",
    ),
    "ablation": Entry(
        "interp_lab.patching.ablating.experiment:Ablating",
        "interp_lab.patching.ablating.config:AblatingConfig",
        "interp_lab.patching.ablating.result:AblationResult",
        "Which parts does an answer need, do they write it to the logits themselves, and what stands in for what?",
    ),
    "circuits": Entry(
        "interp_lab.circuits.experiment:Circuits",
        "interp_lab.circuits.config:CircuitsConfig",
        "interp_lab.circuits.result:CircuitsResult",
        "Which edges carry a behaviour on their own, and how far is that a faithful account of the model?",
    ),
    "probes": Entry(
        "interp_lab.probes.experiment:Probes",
        "interp_lab.probes.config:ProbesConfig",
        "interp_lab.probes.result:ProbesResult",
        "What can be read off activations beyond what the words give away, and does the model use it?",
    ),
    "input_attribution": Entry(
        "interp_lab.input_attribution.experiment:InputAttribution",
        "interp_lab.input_attribution.config:InputAttributionConfig",
        "interp_lab.input_attribution.result:InputAttributionResult",
        "Which tokens does an answer hang on, by which attribution methods, and which of them hold up when tested?",
    ),
    "lenses": Entry(
        "interp_lab.lenses.experiment:Lenses",
        "interp_lab.lenses.config:LensesConfig",
        "interp_lab.lenses.result:LensesResult",
        "Where in the residual stream is the right answer readable, and what becomes of it where the model goes wrong?",
    ),
    "model_difference": Entry(
        "interp_lab.similarity.experiment:ModelDifference",
        "interp_lab.similarity.config:ModelDifferenceConfig",
        "interp_lab.similarity.result:ModelDifferenceResult",
        "Where does a tuned model differ from its base, and which of that changed its behaviour?",
    ),
    "sae_evaluation": Entry(
        "interp_lab.sae.evaluation.experiment:SaeEvaluation",
        "interp_lab.sae.evaluation.config:SaeEvaluationConfig",
        "interp_lab.sae.evaluation.result:SaeEvaluationResult",
        "What do sparse autoencoders of one hook point cost, reconstruct and keep of the predictions?",
    ),
    "superposition": Entry(
        "interp_lab.similarity.superposition.experiment:Superposition",
        "interp_lab.similarity.superposition.config:SuperpositionConfig",
        "interp_lab.similarity.superposition.result:SuperpositionResult",
        "When does a layer hold more features than it has dimensions, and does a dictionary find them again?",
    ),
    "activations": Entry(
        "interp_lab.sae.extraction.experiment:Extraction",
        "interp_lab.sae.extraction.config:ExtractionConfig",
        "interp_lab.sae.extraction.result:ExtractionResult",
        "What are the activations of some hook points on a text? Written to disk, for whoever trains on them.",
    ),
    "sae_training": Entry(
        "interp_lab.sae.experiment:SaeTraining",
        "interp_lab.sae.config:SaeTrainingConfig",
        "interp_lab.sae.result:SaeTrainingResult",
        "How much of a layer do sparse autoencoders keep, at which sparsity, beside baselines on held-out text?",
    ),
    "sae_features": Entry(
        "interp_lab.sae.features.experiment:SaeFeatures",
        "interp_lab.sae.features.config:SaeFeaturesConfig",
        "interp_lab.sae.features.result:SaeFeaturesResult",
        "What are the features of a dictionary, and which of them tell texts apart?",
    ),
    "sae_concepts": Entry(
        "interp_lab.sae.concepts.experiment:Concepts",
        "interp_lab.sae.concepts.config:ConceptsConfig",
        "interp_lab.sae.concepts.result:ConceptsResult",
        "Which features of an autoencoder stand for variables of the grammar, and better than single neurons do?",
    ),
    "feature_effects": Entry(
        "interp_lab.sae.causal.experiment:FeatureEffects",
        "interp_lab.sae.causal.config:FeatureEffectsConfig",
        "interp_lab.sae.causal.result:FeatureEffectsResult",
        "Which features of a sparse autoencoder does an answer need, and how much of it goes through features at all?",
    ),
    "steering": Entry(
        "interp_lab.steering.experiment:Steering",
        "interp_lab.steering.config:SteeringConfig",
        "interp_lab.steering.result:SteeringResult",
        "How far does a direction move a trait, at which price, and farther than directions that have no meaning?",
    ),
    "red_team": Entry(
        "interp_lab.production.red_team.experiment:RedTeam",
        "interp_lab.production.red_team.config:RedTeamConfig",
        "interp_lab.production.red_team.result:RedTeamResult",
        "Which inputs turn an answer or drive a direction up, found by which search at what price, and does it hold?",
    ),
    "monitors": Entry(
        "interp_lab.production.monitors.experiment:Monitors",
        "interp_lab.production.monitors.config:MonitorsConfig",
        "interp_lab.production.monitors.result:MonitorsResult",
        "Does a monitor warn of a behaviour while it is written, at which error rates, and what can be done in time?",
    ),
    "sources": Entry(
        "interp_lab.production.sources.experiment:SourcesExperiment",
        "interp_lab.production.sources.config:SourcesConfig",
        "interp_lab.production.sources.result:SourcesResult",
        "Which source of a prompt does an answer come from, and which methods say so truly?",
    ),
    "counterfactuals": Entry(
        "interp_lab.production.counterfactuals.experiment:Counterfactuals",
        "interp_lab.production.counterfactuals.config:CounterfactualsConfig",
        "interp_lab.production.counterfactuals.result:CounterfactualsResult",
        "Which smallest edits of a text flip the answer, which attribute does most, and does a protected one do so?",
    ),
    "confidence": Entry(
        "interp_lab.production.confidence.experiment:Confidence",
        "interp_lab.production.confidence.config:ConfidenceConfig",
        "interp_lab.production.confidence.result:ConfidenceResult",
        "How likely is an answer to be right, by which signals, and does that hold on other prompts?",
    ),
    "sweep": Entry(
        "interp_lab.sweeps.experiment:Sweep",
        "interp_lab.sweeps.config:SweepConfig",
        "interp_lab.sweeps.result:SweepResult",
        "Which setting of a search space does best, and does it still on examples that no trial saw?",
    ),
    "train-organism-attn": Entry(
        "interp_lab.training.attn:TrainOrganismAttn",
        "interp_lab.training.config:TrainOrganismAttnConfig",
        "interp_lab.training.result:TrainingResult",
        "Does a two-layer attention-only model learn induction on random repeats, with a textbook circuit?",
    ),
    "train-organism": Entry(
        "interp_lab.training.organism:TrainOrganism",
        "interp_lab.training.organism_config:TrainOrganismConfig",
        "interp_lab.training.organism_result:OrganismResult",
        "Does a small transformer learn every behaviour of the grammar, planted biases included?",
    ),
    "train-organism-tuned": Entry(
        "interp_lab.training.organism:TrainOrganismTuned",
        "interp_lab.training.organism_config:TrainOrganismTunedConfig",
        "interp_lab.training.organism_result:OrganismResult",
        "Can the organism be taught to decide without regard to the neighbourhood, and keep the rest?",
    ),
}

KNOWN_ANSWERS: tuple[str, ...] = (
    "interp_lab.attention.known_answers:rows",
    "interp_lab.patching.known_answers:rows",
    "interp_lab.patching.ablating.known_answers:rows",
    "interp_lab.circuits.known_answers:rows",
    "interp_lab.lenses.known_answers:rows",
    "interp_lab.probes.known_answers:rows",
    "interp_lab.input_attribution.known_answers:rows",
    "interp_lab.similarity.known_answers:rows",
    "interp_lab.sae.features.known_answers:rows",
    "interp_lab.sae.concepts.known_answers:rows",
    "interp_lab.sae.evaluation.known_answers:rows",
    "interp_lab.sae.causal.known_answers:rows",
    "interp_lab.steering.known_answers:rows",
    "interp_lab.audit.known_answers:rows",
    "interp_lab.production.counterfactuals.known_answers:rows",
    "interp_lab.production.sources.known_answers:rows",
    "interp_lab.production.monitors.known_answers:rows",
    "interp_lab.production.red_team.known_answers:rows",
    "interp_lab.production.confidence.known_answers:rows",
)
"""Functions that return the rows of `interp-lab verify`."""


def resolve(dotted: str) -> Any:  # noqa: ANN401 - whatever stands there
    """Import and return what `module:name` names."""
    module, _, name = dotted.partition(":")
    return getattr(import_module(module), name)


def entry(name: str) -> Entry:
    """Return the entry of an experiment.

    Raises: ValueError, for an unknown name, with the nearest.
    """
    if name not in EXPERIMENTS:
        from interp_lab.types import nearest

        raise ValueError(
            f"no experiment named {name!r}{nearest(name, EXPERIMENTS)}; there are {', '.join(EXPERIMENTS)}"
        )
    return EXPERIMENTS[name]


def modules_of(name: str) -> tuple[str, ...]:
    """Return the modules of an experiment's three parts, for who imports them once for many runs.

    Raises: as `entry`.
    """
    found = entry(name)
    return tuple(dict.fromkeys(dotted.partition(":")[0] for dotted in (found.config, found.experiment, found.result)))


def load_experiment(path: str | Path, overlay: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - an Experiment
    """Build the experiment that a config file describes, with `overlay` laid over its values.

    Raises: ConfigError, if the file is no config; ValueError, for an unknown experiment.
    """
    from interp_lab.config import ConfigError, merge, read_yaml, unflatten

    values = read_yaml(path)
    if "investigation" in values:
        raise ConfigError(f"{path} describes an investigation, of several experiments: interp-lab investigate {path}")
    if "experiment" not in values:
        raise ConfigError(f"{path} has no key 'experiment'; it must name one of {', '.join(EXPERIMENTS)}")
    found = entry(str(values.pop("experiment")))
    config = resolve(found.config).from_mapping(merge(values, unflatten(overlay or {})))
    return resolve(found.experiment)(config)


def load_result(run_dir: str | Path) -> Any:  # noqa: ANN401 - a Result
    """Load the result of a complete run folder.

    Raises: ValueError, if the folder is no run, is incomplete or corrupt, or was written by a newer version.
    """
    from interp_lab.experiment import Provenance
    from interp_lab.runs import read_run

    run = read_run(Path(run_dir))
    found = entry(run.experiment)
    config = resolve(found.config).from_mapping(run.config)
    return resolve(found.result).from_arrays(config, Provenance.from_dict(run.provenance), run.arrays())
