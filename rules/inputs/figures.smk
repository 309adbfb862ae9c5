"""List the scores, predictions and traces that figures and videos show."""

@reported
def scores_of_video(wildcards):
    """Return the score files of the methods whose curves over one video are drawn."""
    study = settings.study_named(config, wildcards.study)
    methods = shown.curve_methods(config, sources(), study, wildcards.task)
    return expand(
        rules.score.output.scores,
        method=[str(method) for method in methods],
        seed=settings.seeds_of(study, wildcards.task),
        dataset=wildcards.dataset,
        task=wildcards.task,
        video=wildcards.video,
    )


@reported
def fixed_of(wildcards):
    """Return the predictions of the model without learning that a method is shown beside."""
    study = settings.study_of(config, wildcards.dataset)
    fixed = drawn.fixed_beside(config, study, wildcards.task)
    return rules.predict.output.predictions.format(**{**wildcards, "method": fixed})


@reported
def learned_of(wildcards):
    """Return the predictions of the method whose learning is shown."""
    study = settings.study_of(config, wildcards.dataset)
    learned = drawn.drawn_in(config, study).learned
    return rules.predict.output.predictions.format(**wildcards, method=learned)


@reported
def predictions_of_colours(wildcards):
    """Return what each method of a study that colours has made of a video: of the first seed."""
    study = settings.study_named(config, wildcards.study)
    methods = shown.coloured_methods(config, sources(), study)
    return expand(
        rules.predict.output.predictions,
        task="colorization",
        method=[str(method) for method in methods],
        seed=settings.seeds_of(study, "colorization")[0],
        dataset=wildcards.dataset,
        video=wildcards.video,
    )


@reported
def selection_grids(wildcards):
    """Return the grids of the methods that are selected for a task."""
    study = settings.study_named(config, wildcards.study)
    chosen = trials.methods_selected_for(config, study, wildcards.task)
    ids = {"dataset": wildcards.dataset, "task": wildcards.task}
    return expand(rules.select.output.grid, method=[str(method) for method in chosen], **ids)
