"""Find what predictions are made with: checkpoints, selections, published networks."""

# Methods that are no Y-shaped model have rules of their own.
SEGMENTERS = [m for m, entry in config["methods"].items() if "segmenter" in entry]
OTHER_NETWORKS = [m for m, entry in config["methods"].items() if "checkpoint" not in entry]


def checkpoint_for(wildcards, method):
    """Return the checkpoint that a method starts from on a data set."""
    trained = settings.checkpoint_ids(config, wildcards.dataset, wildcards.task, method)
    study = settings.study_of(config, wildcards.dataset)
    return checkpoint_file(study, {**wildcards, **trained})


@reported
def checkpoint_of(wildcards):
    """Return the checkpoint that the predictions of a method start from."""
    return checkpoint_for(wildcards, settings.method_of(config, wildcards.method))


@reported
def selections_of(wildcards):
    """Return the files that decide hyper-parameters of a method."""
    method = settings.method_of(config, wildcards.method)
    chosen = trials.selections_of(config, wildcards.dataset, method)
    place = trials.selected_on(config, wildcards.dataset, wildcards.task)
    return [rules.select.output.selection.format(**place, method=m) for m in chosen]


@reported
def selected_before(wildcards):
    """Return the files that decide what the trials of a method start from."""
    method = settings.method_of(config, wildcards.method)
    chosen = trials.selected_before(config, wildcards.dataset, method)
    place = trials.selected_on(config, wildcards.dataset, wildcards.task)
    return [rules.select.output.selection.format(**place, method=m) for m in chosen]


@signed
def selection_arguments(wildcards, input):
    """Return the argument that names them."""
    return f"--selection {shlex.join(input.selection)}" if input.selection else ""


@reported
def method_overrides(wildcards):
    """Return what a variant of a method changes, as JSON."""
    method = settings.method_of(config, wildcards.method)
    validation.check_variant(method)
    return text_of(method.overrides)


@reported
def fetched_weights(wildcards):
    """Return the record of the published network that a method is."""
    return fetched([scored.weights_of(config, settings.method_of(config, wildcards.method))])


@reported
def weights_argument(wildcards):
    """Return where its file is, as a shell takes it."""
    return file_of(scored.weights_of(config, settings.method_of(config, wildcards.method)))
