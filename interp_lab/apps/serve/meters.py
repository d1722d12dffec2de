"""What is counted and measured, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Meters:
    """Of one service; labels have few values, none of them a client's choice."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        self.answers = Counter("interp_lab_http_answers", "HTTP answers by status.", ["status"], registry=own)
        self.requests = Counter("interp_lab_requests", "Requests to generate, by end.", ["end"], registry=own)
        self.alarms = Counter("interp_lab_alarms", "Alarms by monitor and action.", ["monitor", "action"], registry=own)
        self.prompted = Counter("interp_lab_prompt_tokens", "Prompt tokens taken in.", registry=own)
        self.generated = Counter("interp_lab_generated_tokens", "Tokens generated.", registry=own)
        self.waiting = Gauge("interp_lab_queue_requests", "Requests in the queue.", registry=own)
        self.ready = Gauge("interp_lab_ready", "1 if requests are taken.", registry=own)
        self.rows = Histogram(
            "interp_lab_batch_rows", "Requests decoded together.", buckets=(1, 2, 4, 8, 16, 32, 64), registry=own
        )
        self.waited = Histogram(
            "interp_lab_queue_seconds", "From arrival to the first forward pass.", buckets=_SECONDS, registry=own
        )
        self.took = Histogram("interp_lab_request_seconds", "From arrival to the end.", buckets=_SECONDS, registry=own)

    def text(self) -> bytes:
        """Return all of it in the text format."""
        return generate_latest(self._registry)
