"""Read layouts on disk into one frame store per video."""


include: "inputs/frames.smk"


rule ingest:
    """Read one video, with its labels, into a frame store."""
    input:
        source=source_of,
    output:
        frames="results/frames/{dataset}/{video}.h5",
    log:
        "results/logs/ingest/{dataset}/{video}.log",
    benchmark:
        "results/benchmarks/ingest/{dataset}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        root=ingest_root,
        split=param(settings.folder_of),
        settings=param(job_settings.ingest_settings),
        code=code("ingest", rerun.layout_module),
    shell:
        "videottt ingest --dataset {wildcards.dataset:q} --split {params.split:q} "
        "--video {wildcards.video:q} --root {params.root} --settings {params.settings:q} "
        "--output {output.frames:q} > {log:q} 2>&1"
