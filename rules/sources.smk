"""What has to exist before there are frames: the embedded benchmark, rendered."""


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
        settings=render_settings,
        code=code_of_layout("render"),
    shell:
        "videottt render --split {wildcards.split:q} --video {wildcards.video:q} "
        "--settings {params.settings:q} --output {output.root:q} > {log:q} 2>&1"
