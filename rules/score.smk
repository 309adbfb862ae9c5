"""Score cached predictions, without model and GPU."""


include: "inputs/score.smk"


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
    priority: 1
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        split=param(settings.split_of),
        job=param(scored.job_of_predictions),
        iteration=param(settings.score_iteration),
        selection=selection_arguments,
        networks=param(scored.network_arguments),
        device=config["device"],
        code=code("score"),
    shell:
        "videottt score --frames {input.frames:q} --predictions {input.predictions:q} "
        "--method {wildcards.method:q} --job {params.job:q} --split {params.split:q} "
        "--iteration {params.iteration} "
        "{params.selection} {params.networks} --device {params.device:q} --threads {threads} "
        "--output {output.scores:q} > {log:q} 2>&1"


rule aggregate:
    """Compute every metric of every video and split of a study."""
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
        # A command line cannot hold the names of thousands of files.
        template=lambda wildcards: str(rules.score.output.scores),
        of=param(scored.scored_ids),
        code=code("aggregate"),
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
