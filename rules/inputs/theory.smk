"""List the gradients that the theorem is measured on."""

@reported
def checkpoint_of_theory(wildcards):
    """Return the checkpoint at which gradients are measured."""
    study = settings.study_of(config, wildcards.dataset)
    return checkpoint_for(wildcards, drawn.drawn_in(config, study).theory)


@reported
def theory_of_study(wildcards):
    """Return the gradient statistics of the videos of the sweep's split, for all seeds."""
    study = settings.study_named(config, wildcards.study)
    sweep = trials.window_sweep(config, wildcards.study)
    split = trials.sweep_split(sweep, wildcards.dataset)
    return expand(
        rules.theory.output.statistics,
        dataset=wildcards.dataset,
        task=wildcards.task,
        video=settings.videos_in(config, wildcards.dataset, split),
        seed=settings.seeds_of(study, wildcards.task),
    )


@reported
def window_sweep(wildcards):
    """Return the metrics of the sweep over window sizes of a study."""
    trials.window_sweep(config, wildcards.study)
    return rules.aggregate_sweep.output.metrics.format(study=wildcards.study, sweep="window")
