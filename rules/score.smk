"""From cached predictions to numbers: no model, no GPU."""


rule score:
    """Compare the prediction of every labelled frame with its labels."""
    input:
        frames=rules.ingest.output.frames,
        predictions=predictions_of,
        selection=selection_of_iteration,
        networks=networks_of,
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
        job=job_of_predictions,
        iteration=score_iteration,
        selection=selection_arguments,
        networks=network_arguments,
        device=config["device"],
        code=code(*CODE["score"]),
    shell:
        "videottt score --frames {input.frames:q} --predictions {input.predictions:q} "
        "--method {wildcards.method:q} --job {params.job:q} --split {params.split:q} "
        "--iteration {params.iteration} "
        "{params.selection} {params.networks} --device {params.device:q} --threads {threads} "
        "--output {output.scores:q} > {log:q} 2>&1"


rule aggregate:
    """Make every metric of every video and split of a study."""
    input:
        scores=scores_of_study,
        published=PUBLISHED,
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
        # Thousands of files are more than a command line holds.
        template=lambda wildcards: str(rules.score.output.scores),
        of=scored_of_study,
        code=code(*CODE["score"]),
    shell:
        "videottt aggregate --scores {params.template:q} --of {params.of:q} "
        "--published {input.published:q} --output {output.metrics:q} > {log:q} 2>&1"


use rule aggregate as aggregate_sweep with:
    input:
        scores=scores_of_study,
        published=PUBLISHED,
    output:
        metrics="results/metrics/{study}/{sweep}.csv",
    log:
        "results/logs/aggregate_sweep/{study}/{sweep}.log",
    benchmark:
        "results/benchmarks/aggregate_sweep/{study}/{sweep}.tsv"
