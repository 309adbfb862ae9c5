"""List the scores that detectron2 computes once more."""

@reported
def files_of_study(wildcards):
    """Return the files of every job of a study that can be replayed."""
    files = {"frames": [], "predictions": [], "scores": []}
    study = settings.study_named(config, wildcards.study)
    for stream in scored.crosschecked(config, sources(), study):
        predicting = [settings.predicting_method(config, method) for method in stream.methods]
        made = {**stream.ids, "method": list(dict.fromkeys(map(str, predicting)))}
        files["frames"] += sorted(set(expand(rules.ingest.output.frames, **stream.ids)))
        files["predictions"] += expand(rules.predict.output.predictions, **made)
        files["scores"] += expand(rules.score.output.scores, **stream.ids)
    return files
