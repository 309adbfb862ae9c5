"""Select hyper-parameters on the validation videos, by grids with the same axes."""


include: "inputs/select.smk"


use rule predict as predict_trial with:
    input:
        frames=rules.ingest.output.frames,
        checkpoint=checkpoint_of,
        selection=selected_before,
    output:
        predictions="results/trials/{dataset}/{task}/{method}/trial{trial}/seed{seed}/{video}.h5",
    log:
        "results/logs/predict_trial/{dataset}/{task}/{method}/trial{trial}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/predict_trial/{dataset}/{task}/{method}/trial{trial}/seed{seed}/{video}.tsv"
    params:
        settings=param(job_settings.method_settings),
        selection=selection_arguments,
        overrides=param(trials.trial_values),
        device=config["device"],
        code=code("predict", rerun.objective_module),


use rule score as score_trial with:
    input:
        frames=rules.ingest.output.frames,
        predictions=rules.predict_trial.output.predictions,
        selection=[],
    output:
        scores="results/trial_scores/{dataset}/{task}/{method}/trial{trial}/seed{seed}/{video}.h5",
    log:
        "results/logs/score_trial/{dataset}/{task}/{method}/trial{trial}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/score_trial/{dataset}/{task}/{method}/trial{trial}/seed{seed}/{video}.tsv"
    params:
        split=param(settings.split_of),
        job=param(scored.job_of_predictions),
        iteration="last",
        selection="",
        networks="",
        device=config["device"],
        code=code("score"),


rule select:
    """Choose the best trial of one method by its score on the validation videos."""
    input:
        scores=trial_scores_of,
    output:
        selection="results/selection/{dataset}/{task}/{method}.json",
        grid="results/selection/{dataset}/{task}/{method}.csv",
    log:
        "results/logs/select/{dataset}/{task}/{method}.log",
    benchmark:
        "results/benchmarks/select/{dataset}/{task}/{method}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        trials=trial_arguments,
        metric=selection_metric,
        code=code("select"),
    shell:
        "videottt select --method {wildcards.method:q} --metric {params.metric:q} "
        "{params.trials} --grid {output.grid:q} --output {output.selection:q} > {log:q} 2>&1"
