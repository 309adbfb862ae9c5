"""Find downloads and the user's copies of data sets."""

# What is published about data sets.
PUBLISHED = str(RESOURCES / "published.yaml")


def fetched(names):
    """Return the records of files from elsewhere."""
    for name in names:
        check_known(name, sources(), "source", str(SOURCES))
    return [rules.fetch_source.output.record.format(source=name) for name in names]


def file_of(name):
    """Return where the single file of a source is, as a shell takes it."""
    check_known(name, sources(), "source", str(SOURCES))
    return inputs.below_data_root(sources()[name].provides[0])


@reported
def sources_of_dataset(wildcards):
    """Return what has to be there before a data set is checked."""
    names = inputs.all_sources(config, wildcards.dataset)
    return fetched(names) if names else str(inputs.root_of(config, wildcards.dataset))
