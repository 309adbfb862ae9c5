"""List the predictions that are scored, and the scores that a study puts together."""

@reported
def predictions_of(wildcards):
    """Return the cached predictions that are scored as those of a method."""
    scored.check_truth(config, wildcards.dataset, wildcards.task)
    method = settings.method_of(config, wildcards.method)
    predicting = settings.predicting_method(config, method)
    return rules.predict.output.predictions.format(**{**wildcards, "method": predicting})


@reported
def selection_of_iteration(wildcards):
    """Return the file that chose after how many updates an offline method is scored."""
    method = settings.method_of(config, wildcards.method)
    iteration = settings.score_iteration(config, wildcards.dataset, method)
    return selections_of(wildcards) if iteration == "selected" else []


@reported
def networks_of(wildcards):
    """Return the records of the networks that the scores of a task need, where they can be had."""
    return fetched(scored.networks_of(config, sources(), wildcards.dataset, wildcards.task))


@reported
def scores_of_study(wildcards):
    """Return the score files of a study, or of one of its sweeps."""
    study = settings.study_named(config, wildcards.study)
    streams = scored.scored_in(config, sources(), study, wildcards.get("sweep"))
    return [file for stream in streams for file in expand(rules.score.output.scores, **stream.ids)]
