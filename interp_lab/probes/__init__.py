"""Linear probes of all layers and places, never without their controls, and whether the model uses what they read."""

from interp_lab.probes.config import ProbesConfig
from interp_lab.probes.controls import control_labels, shuffled_labels
from interp_lab.probes.estimator import CalibratedProbe, LinearProbe, LinearRegressionProbe
from interp_lab.probes.examples import ProbeExamples, draw_examples
from interp_lab.probes.experiment import Probes
from interp_lab.probes.features import hooks_of, read_features
from interp_lab.probes.fitting import fit_probes
from interp_lab.probes.judged import Verdict
from interp_lab.probes.result import ProbesResult
from interp_lab.probes.saved import TrainedProbe, load_probe
from interp_lab.stats.calibration import CalibrationError, calibration_error, reliability
from interp_lab.tasks.labels import LabelName, labels_named

__all__ = [
    "CalibratedProbe",
    "CalibrationError",
    "LabelName",
    "LinearProbe",
    "LinearRegressionProbe",
    "ProbeExamples",
    "Probes",
    "ProbesConfig",
    "ProbesResult",
    "TrainedProbe",
    "Verdict",
    "calibration_error",
    "control_labels",
    "draw_examples",
    "fit_probes",
    "hooks_of",
    "labels_named",
    "load_probe",
    "read_features",
    "reliability",
    "shuffled_labels",
]
