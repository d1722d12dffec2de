"""Which inputs drive a direction, a feature, a probe or the other answer up, and does behaviour follow?"""

from interp_lab.production.red_team.config import RedTeamConfig, TargetConfig
from interp_lab.production.red_team.experiment import RedTeam
from interp_lab.production.red_team.regression import replay, write_regression
from interp_lab.production.red_team.result import RedTeamResult

__all__ = ["RedTeam", "RedTeamConfig", "RedTeamResult", "TargetConfig", "replay", "write_regression"]
