"""Features described on text: density, examples, tokens, logits, neighbours; and which of them tell texts apart."""

from interp_lab.sae.features.combination import combinations
from interp_lab.sae.features.config import CombinationConfig, DescribeConfig, DifferenceConfig, SaeFeaturesConfig
from interp_lab.sae.features.describe import describe_features, gather
from interp_lab.sae.features.dictionary import BothSigns, Dictionary, neuron_dictionary, sae_dictionary
from interp_lab.sae.features.differences import SideValues, choose, compare
from interp_lab.sae.features.experiment import SaeFeatures
from interp_lab.sae.features.per_document import read_per_document
from interp_lab.sae.features.result import SaeFeaturesResult
from interp_lab.sae.features.schema import SCHEMAS, About
from interp_lab.sae.features.store import FeatureStore
from interp_lab.sae.features.writing import write_folder

__all__ = [
    "SCHEMAS",
    "About",
    "BothSigns",
    "CombinationConfig",
    "DescribeConfig",
    "Dictionary",
    "DifferenceConfig",
    "FeatureStore",
    "SaeFeatures",
    "SaeFeaturesConfig",
    "SaeFeaturesResult",
    "SideValues",
    "choose",
    "combinations",
    "compare",
    "describe_features",
    "gather",
    "neuron_dictionary",
    "read_per_document",
    "sae_dictionary",
    "write_folder",
]
