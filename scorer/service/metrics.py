"""What a service measures of itself, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from scorer.service.annotation import Annotation
from scorer.service.scoring import Scoring


class Metrics:
    """Counters of one application; the rest is read when somebody asks."""

    def __init__(self, annotation: Annotation, scoring: Scoring) -> None:
        self._registry = registry = CollectorRegistry()
        labels = ("route", "method")
        self._requests = Counter(
            "balentacq_requests", "Requests.", (*labels, "status"), registry=registry
        )
        self._seconds = Histogram(
            "balentacq_request_seconds", "From a request to its answer.", labels, registry=registry
        )
        read = {
            "waiting_images": ("Images that wait for scores.", lambda: scoring.depth),
            "scored_images": ("Images scored on request.", lambda: scoring.images),
            "ranked_images": ("Images of the pool that are ranked.", lambda: annotation.ranked),
            "skipped_images": ("Images that cannot be used.", lambda: annotation.skipped),
            "pixels_left": ("Pixels still asked for.", lambda: annotation.queue.left()[0]),
            "answers": ("Answers kept since the start.", lambda: annotation.answers),
        }
        for name, (text, value) in read.items():
            Gauge(f"balentacq_{name}", text, registry=registry).set_function(value)

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)
