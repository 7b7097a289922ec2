"""Drawn examples: the same in every run, however busy the machine is."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "evaluation",
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("evaluation")
