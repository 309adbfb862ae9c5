"""List the trials that hyper-parameters are selected by."""


def trial_scores(wildcards, trial):
    """Return the score files of one trial on the validation videos."""
    selection = settings.study_of(config, wildcards.dataset)["selection"]
    return expand(
        rules.score_trial.output.scores,
        trial=trial,
        seed=selection["seeds"],
        video=settings.videos_in(config, wildcards.dataset, selection["split"]),
        **wildcards,
    )


def trials_of(wildcards):
    """Return the values of each trial of a method."""
    method = settings.method_of(config, wildcards.method)
    return trials.trials_of(config, wildcards.dataset, method)


@reported
def trial_scores_of(wildcards):
    """Return the score files of all trials of a method."""
    return trial_scores(wildcards, range(len(trials_of(wildcards))))


@reported
def trial_arguments(wildcards):
    """Return one --trial argument a trial: its values and its score files."""
    found = [
        {"values": values, "scores": trial_scores(wildcards, number)}
        for number, values in enumerate(trials_of(wildcards))
    ]
    return " ".join(f"--trial {shlex.quote(json.dumps(trial))}" for trial in found)


@reported
def selection_metric(wildcards):
    """Return the metric that trials are compared by."""
    # Here, because every job parses this file, and few need h5py for it.
    from videottt.evaluation.metrics import headline

    return headline(wildcards.task).pooled
