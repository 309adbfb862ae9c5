"""What has to exist before there are frames: the embedded benchmark, and what is from elsewhere."""


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


# Nothing below data_root is an output: Snakemake deletes outputs before it makes them again. What
# is there already is taken as it is.
rule fetch_source:
    """Have a file from elsewhere below data_root, checked and unpacked, and record what it is."""
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
    """Count and read a data set, and compare it with what was published about it."""
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
