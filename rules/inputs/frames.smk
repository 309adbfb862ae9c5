"""Find the videos that frame stores are made of."""

@reported
def source_of(wildcards):
    """Return what a video is read from: what is rendered here, records of what was fetched, or the
    user's copy of a data set."""
    split = settings.split_of(config, wildcards.dataset, wildcards.video)
    if "render" in config["datasets"][wildcards.dataset]:
        return expand(rules.render.output.root, split=split, **wildcards)
    names = settings.sources_of(config, wildcards.dataset, wildcards.video)
    return fetched(names) if names else inputs.copy_of(config, wildcards.dataset, wildcards.video)


def ingest_root(wildcards, input):
    """Return the folder that a layout is read from, as a shell takes it."""
    return inputs.ingest_root(config, wildcards.dataset, input.source)
