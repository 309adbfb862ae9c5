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
    wildcard_constraints:
        # Those that are no Y-shaped model have rules of their own.
        method="(?!(left_grey|zhang2016)/)[^/]+",
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


rule predict_zhang2016:
    """Colour one video with the network of Zhang et al. (2016), frame by frame."""
    input:
        frames=rules.ingest.output.frames,
        weights=zhang2016_weights,
    output:
        predictions="results/predictions/{dataset}/colorization/zhang2016/seed{seed}/{video}.h5",
    log:
        "results/logs/predict/{dataset}/colorization/zhang2016/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/predict/{dataset}/colorization/zhang2016/seed{seed}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    resources:
        gpu=GPUS,
    params:
        device=config["device"],
        code=code("models/zhang2016.py", "perception/weights.py", *CODE["colourizers"]),
    shell:
        "videottt predict-zhang2016 --frames {input.frames:q} --weights {input.weights:q} "
        "--seed {wildcards.seed} --device {params.device:q} --threads {threads} "
        "--output {output.predictions:q} > {log:q} 2>&1"


rule predict_left_grey:
    """Leave one video grey: what the scores of no colour at all are."""
    input:
        frames=rules.ingest.output.frames,
    output:
        predictions="results/predictions/{dataset}/colorization/left_grey/seed{seed}/{video}.h5",
    log:
        "results/logs/predict/{dataset}/colorization/left_grey/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/predict/{dataset}/colorization/left_grey/seed{seed}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        code=code(*CODE["colourizers"]),
    shell:
        "videottt predict-left-grey --frames {input.frames:q} --seed {wildcards.seed} --device cpu "
        "--threads {threads} --output {output.predictions:q} > {log:q} 2>&1"
