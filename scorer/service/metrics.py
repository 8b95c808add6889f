"""Metrics of the service for Prometheus."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from scorer.service.annotation import Annotation
from scorer.service.progress import Progress
from scorer.service.scoring import Scoring

_AUDITED = {
    "audit_pixels": ("Random pixels that measure the newest model.", "pixels"),
    "audit_accuracy": ("Share of them at which it is right.", "accuracy"),
    "audit_accuracy_low": ("Lower end of the 95 % interval.", "accuracy_low"),
    "audit_accuracy_high": ("Upper end of the 95 % interval.", "accuracy_high"),
    "audit_miou": ("Mean intersection over union of their classes.", "miou"),
    "audit_miou_low": ("Lower end of its 95 % interval.", "miou_low"),
    "audit_miou_high": ("Upper end of its 95 % interval.", "miou_high"),
}


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"balentacq_{name}", text, value=value)


def _audited(audit: Mapping[str, Any]) -> Iterator[Metric]:
    for name, (text, key) in _AUDITED.items():
        yield _gauge(name, text, audit[key])
    text = "Share of the random pixels of a class at which the newest model is right."
    by_class = GaugeMetricFamily("balentacq_audit_class_accuracy", text, labels=["class"])
    for name, (_, accuracy) in audit.get("by_class", {}).items():
        by_class.add_metric([name], accuracy)
    yield by_class


class _Counts(Collector):
    """Counters that are read from functions."""

    def __init__(self, read: Mapping[str, tuple[str, Callable[[], int]]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        for name, (text, value) in self._read.items():
            yield CounterMetricFamily(f"balentacq_{name}", text, value=value())


class _Models(Collector):
    """Metrics of the newest model of a live session, if there is one."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        newest = self._progress.newest
        if newest is None:
            return
        yield _gauge("model_labels", "Labels that the newest model learned from.", newest.labels)
        if newest.confirmed is not None:
            text = "Share of the last first guesses that annotators confirmed."
            yield _gauge("guesses_confirmed", text, newest.confirmed)
        if newest.audit is not None:
            yield from _audited(newest.audit)


class Metrics:
    """Metrics of an application; all but requests are read on demand."""

    def __init__(self, annotation: Annotation, scoring: Scoring) -> None:
        self._registry = registry = CollectorRegistry()
        labels, rounds = ("route", "method"), annotation.rounds
        self._requests = Counter(
            "balentacq_requests", "Requests.", (*labels, "status"), registry=registry
        )
        self._seconds = Histogram(
            "balentacq_request_seconds", "From a request to its answer.", labels, registry=registry
        )
        gauges = {
            "waiting_images": ("Images that wait for scores.", lambda: scoring.depth),
            "ranked_images": ("Images of the pool that are ranked.", lambda: rounds.ranked),
            "skipped_images": ("Images that cannot be used.", lambda: rounds.skipped),
            "pixels_left": ("Pixels still asked for.", lambda: annotation.queue.left()[0]),
        }
        for name, (text, value) in gauges.items():
            Gauge(f"balentacq_{name}", text, registry=registry).set_function(value)
        registry.register(_Models(annotation.progress))
        counts = {
            "scored_images": ("Images scored on request.", lambda: scoring.images),
            "answers": ("Answers kept since the start.", lambda: annotation.answers.count),
        }
        registry.register(_Counts(counts))

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)

    def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._registry)
