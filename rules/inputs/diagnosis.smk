"""List what is diagnosed, and the stills that the diagnosed checkpoints were trained on."""

from types import SimpleNamespace


def training_of_diagnosis(wildcards):
    """Return what a diagnosed checkpoint was trained on and for; None if it is not trained here."""
    method = settings.method_of(config, wildcards.method)
    ids = settings.checkpoint_ids(config, wildcards.dataset, wildcards.task, method)
    study = settings.study_of(config, wildcards.dataset)
    if not settings.is_trained(study, ids["task"], ids["checkpoint"]):
        return None
    return SimpleNamespace(dataset=ids["dataset"], task=ids["task"])


@reported
def stills_of_diagnosis(wildcards):
    """Return the stills that a diagnosed checkpoint was trained on; none if others trained it."""
    trained = training_of_diagnosis(wildcards)
    return stills_of(trained) if trained else []


@signed
def stills_of_diagnosis_argument(wildcards, input):
    """Return the argument that names them."""
    trained = training_of_diagnosis(wildcards)
    if trained is None:
        return ""
    return f"--stills {stills_arguments(trained, input)}"


@reported
def diagnoses_of_study(wildcards):
    """Return the diagnoses of every scored stream of a study: all its videos and seeds."""
    study = settings.study_named(config, wildcards.study)
    results = []
    for dataset, task in scored.scored_streams(config, study):
        if task not in study.get("diagnosed", [task]):
            continue
        results += expand(
            rules.diagnose.output.diagnosis,
            dataset=dataset,
            task=task,
            method=str(drawn.drawn_in(config, study).theory),
            seed=settings.seeds_of(study, task),
            video=settings.study_videos(config, study, dataset),
        )
    return results
