"""Find the stills and checkpoints that a checkpoint is trained on, starts from or is imported from."""


def checkpoint_file(study, ids):
    """Return the file of a checkpoint: shipped or imported, where the study says so, or trained."""
    name = settings.shipped_as(study, ids["task"], ids["checkpoint"])
    if name is not None:
        return str(shipped_checkpoint(name))
    source = settings.imported(study, ids["task"], ids["checkpoint"])
    if source is None:
        return rules.train.output.checkpoint.format(**ids)
    # Written so because `expand`, asked for once a job, would take a tenth of building the DAG.
    return rules.import_checkpoint.output.checkpoint.format(source=source, **ids)


@reported
def stills_of(wildcards):
    """Return the frame stores of the stills that are trained on, or records where they lie."""
    stills = []
    for dataset, videos in inputs.trained_stills(config, wildcards.dataset, wildcards.task).items():
        if inputs.is_read_in_place(config, dataset):
            stills += fetched(inputs.sources_of_videos(config, dataset, videos))
        else:
            stills += expand(rules.ingest.output.frames, dataset=dataset, video=videos)
    return stills


def stills_arguments(wildcards, input):
    """Return the frame stores or folders of stills, as a shell takes them."""
    stores = [path for path in input.stills if path.endswith(".h5")]
    return inputs.stills_arguments(config, wildcards.dataset, wildcards.task, stores)


@reported
def initial_of(wildcards):
    """Return the checkpoint that the training of another starts from, if any."""
    job_settings.training_settings(config, wildcards.dataset, wildcards.task, wildcards.checkpoint)
    study = settings.study_trained_on(config, wildcards.dataset, wildcards.task)
    ids = wildcards.task, wildcards.checkpoint
    initial = settings.initial_checkpoint(config, study, *ids)
    return checkpoint_file(study, {**wildcards, "checkpoint": initial}) if initial else []


@reported
def fetched_checkpoint(wildcards):
    """Return the record of the published weights that are imported."""
    return fetched([wildcards.source])
