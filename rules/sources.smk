"""Provide the sources of frames: render the embedded benchmark, fetch files, check data sets."""


include: "inputs/sources.smk"


rule render:
    """Render one video of an embedded data set, in the layout of a real one."""
    output:
        root=directory("results/sources/{dataset}/{split}/{video}"),
    log:
        "results/logs/render/{dataset}/{split}/{video}.log",
    benchmark:
        "results/benchmarks/render/{dataset}/{split}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        settings=param(job_settings.render_settings),
        code=code("render", rerun.layout_module),
    shell:
        "videottt render --split {wildcards.split:q} --video {wildcards.video:q} "
        "--settings {params.settings:q} --output {output.root:q} > {log:q} 2>&1"


# No file below data_root is an output, because Snakemake deletes outputs before it makes them again.
# A file that is present is used unchanged.
rule fetch_source:
    """Ensure a source is below data_root, checked and unpacked, and record its checksum."""
    output:
        record="results/fetched/{source}.json",
    log:
        "results/logs/fetch_source/{source}.log",
    benchmark:
        "results/benchmarks/fetch_source/{source}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    resources:
        downloads=1,
    shell:
        'videottt fetch {wildcards.source:q} --sources "$SOURCES" --data-root "$DATA_ROOT" '
        "$FETCHING --output {output.record:q} > {log:q} 2>&1"


rule check_data:
    """Count and read a data set, and compare it with the published facts."""
    input:
        sources=sources_of_dataset,
        published=PUBLISHED,
    output:
        report="results/data/{dataset}.csv",
    log:
        "results/logs/check_data/{dataset}.log",
    benchmark:
        "results/benchmarks/check_data/{dataset}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        settings=param(job_settings.check_settings),
        code=code("check-data", rerun.layout_module),
    shell:
        'videottt check-data {wildcards.dataset:q} --data-root "$DATA_ROOT" '
        "--settings {params.settings:q} --published {input.published:q} "
        "--output {output.report:q} > {log:q} 2>&1"
