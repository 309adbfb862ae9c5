"""From cached predictions to numbers: no model, no GPU."""


rule score:
    """Count, for every labelled frame, which class was predicted as which."""
    input:
        frames=rules.ingest.output.frames,
        predictions=rules.predict.output.predictions,
    output:
        scores="results/scores/{dataset}/{task}/{method}/seed{seed}/{video}.h5",
    log:
        "results/logs/score/{dataset}/{task}/{method}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/score/{dataset}/{task}/{method}/seed{seed}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        split=split_of,
        code=code(*CODE["score"]),
    shell:
        "videottt score --frames {input.frames:q} --predictions {input.predictions:q} "
        "--split {params.split:q} --output {output.scores:q} > {log:q} 2>&1"


rule aggregate:
    """Make every metric of every video and split of a study."""
    input:
        scores=scores_of_study,
    output:
        metrics="results/metrics/{study}.csv",
    log:
        "results/logs/aggregate/{study}.log",
    benchmark:
        "results/benchmarks/aggregate/{study}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        code=code(*CODE["score"]),
    shell:
        "videottt aggregate --scores {input.scores:q} --output {output.metrics:q} > {log:q} 2>&1"
