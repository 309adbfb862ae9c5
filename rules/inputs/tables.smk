"""Find what tables are made of, and the labels of methods in tables and figures."""

# The paper's published numbers.
PAPER = [
    str(RESOURCES / "paper" / name)
    for name in ("table1.csv", "table4.csv", "architectures.csv", "ablations.csv")
]
PAPER_DATA = str(RESOURCES / "paper/table2.csv")
PAPER_COLOURS = str(RESOURCES / "paper/table3.csv")

method_labels = json.dumps(shown.labels_of(config))


@reported
def reports_of_study(wildcards):
    """Return what was found in the data sets of a study."""
    study = settings.study_named(config, wildcards.study)
    datasets = shown.checked_datasets(config, study)
    return expand(rules.check_data.output.report, dataset=datasets)


@reported
def network_notes(wildcards):
    """Return, as JSON, the reason for each published network that table 3 lacks."""
    study = settings.study_named(config, wildcards.study)
    record = rules.fetch_source.output.record
    return text_of(scored.network_notes(config, sources(), study, record))
