"""One job per video, method and seed: the only stage that runs the model on test videos."""


rule predict:
    """Stream one video through one method and cache every frame's prediction and time."""
    input:
        frames=rules.ingest.output.frames,
        checkpoint=checkpoint_of,
        selection=selections_of,
    output:
        predictions="results/predictions/{dataset}/{task}/{method}/seed{seed}/{video}.h5",
    log:
        "results/logs/predict/{dataset}/{task}/{method}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/predict/{dataset}/{task}/{method}/seed{seed}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    resources:
        gpu=GPUS,
    params:
        settings=method_settings,
        selection=selection_arguments,
        overrides=method_overrides,
        device=config["device"],
        code=code_of_method,
    shell:
        "videottt predict --frames {input.frames:q} --checkpoint {input.checkpoint:q} "
        "--task {wildcards.task:q} --method {wildcards.method:q} --settings {params.settings:q} "
        "{params.selection} --override {params.overrides:q} --seed {wildcards.seed} --device {params.device:q} "
        "--threads {threads} --output {output.predictions:q} > {log:q} 2>&1"
