"""Which attributes of the input decide the answer, alone or together, and for what do they stand in?"""

from interp_lab.audit.config import AuditConfig
from interp_lab.audit.experiment import Audit
from interp_lab.audit.result import AuditResult

__all__ = ["Audit", "AuditConfig", "AuditResult"]
