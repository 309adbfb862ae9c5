"""Schedule the learning rate of joint training."""

from bisect import bisect_right

from videottt.settings.training import TrainingSettings


def rate_factor(iteration: int, settings: TrainingSettings) -> float:
    """Return the factor on the learning rate: linear warm-up times the schedule, 0..1.

    The schedules are detectron2's WarmupPolyLR ("poly") and WarmupMultiStepLR ("steps").

    Args:
        iteration: from 0, below `settings.iterations`.
        settings: of the training.
    """
    if settings.warmup_factor is None:
        warm = min(1.0, (iteration + 1) / (settings.warmup + 1))
    else:
        done = min(1.0, iteration / settings.warmup) if settings.warmup else 1.0
        warm = settings.warmup_factor * (1 - done) + done
    if settings.schedule == "steps":
        return warm * settings.gamma ** bisect_right(settings.milestones, iteration)
    decay: float = (1 - iteration / settings.iterations) ** settings.power
    return warm * decay
