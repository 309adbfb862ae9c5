"""What has to exist before there are frames: the embedded benchmark; and networks of others."""


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


rule download:
    """Check the user's copy of a network of others; fetch it if config.yaml allows downloads."""
    input:
        own=own_copy,
    output:
        weights="results/weights/{weights}.pth",
    log:
        "results/logs/download/{weights}.log",
    benchmark:
        "results/benchmarks/download/{weights}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        place=weights_place,
        sha256=lambda wildcards: config["weights"][wildcards.weights]["sha256"],
    shell:
        "videottt download {params.place} --sha256 {params.sha256:q} "
        "--output {output.weights:q} > {log:q} 2>&1"
