"""Predict, one job per video, method and seed; no other stage runs the model on test videos."""


include: "inputs/predict.smk"


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
        # Methods without a Y-shaped model have rules of their own.
        method=f"(?!({'|'.join(OTHER_NETWORKS)})/)[^/]+",
    priority: 2
    conda:
        "../envs/videottt.yaml"
    threads: 1
    resources:
        gpu=GPUS,
    params:
        settings=param(job_settings.method_settings),
        selection=selection_arguments,
        overrides=method_overrides,
        device=config["device"],
        code=code("predict", rerun.objective_module),
    shell:
        "videottt predict --frames {input.frames:q} --checkpoint {input.checkpoint:q} "
        "--task {wildcards.task:q} --method {wildcards.method:q} --settings {params.settings:q} "
        "{params.selection} --override {params.overrides:q} --seed {wildcards.seed} --device {params.device:q} "
        "--threads {threads} $SAVING --output {output.predictions:q} > {log:q} 2>&1"


rule predict_zhang2016:
    """Colour one video with the network of Zhang et al. (2016), frame by frame."""
    input:
        frames=rules.ingest.output.frames,
        weights=fetched_weights,
    output:
        predictions="results/predictions/{dataset}/colorization/{method}/seed{seed}/{video}.h5",
    log:
        "results/logs/predict/{dataset}/colorization/{method}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/predict/{dataset}/colorization/{method}/seed{seed}/{video}.tsv"
    wildcard_constraints:
        method="zhang2016",
    priority: 2
    conda:
        "../envs/videottt.yaml"
    threads: 1
    resources:
        gpu=GPUS,
    params:
        weights=weights_argument,
        device=config["device"],
        code=code("predict-zhang2016"),
    shell:
        "videottt predict-zhang2016 --frames {input.frames:q} --weights {params.weights} "
        "--seed {wildcards.seed} --device {params.device:q} --threads {threads} $SAVING "
        "--output {output.predictions:q} > {log:q} 2>&1"


rule predict_left_grey:
    """Leave one video grey, as the baseline of colorization."""
    input:
        frames=rules.ingest.output.frames,
    output:
        predictions="results/predictions/{dataset}/colorization/left_grey/seed{seed}/{video}.h5",
    log:
        "results/logs/predict/{dataset}/colorization/left_grey/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/predict/{dataset}/colorization/left_grey/seed{seed}/{video}.tsv"
    priority: 2
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        code=code("predict-left-grey"),
    shell:
        "videottt predict-left-grey --frames {input.frames:q} --seed {wildcards.seed} --device cpu "
        "--threads {threads} $SAVING --output {output.predictions:q} > {log:q} 2>&1"


rule predict_segmenter:
    """Segment one video with another architecture, frame by frame (section 5.1)."""
    input:
        frames=rules.ingest.output.frames,
        weights=fetched_weights,
    output:
        predictions="results/predictions/{dataset}/semantic/{method}/seed{seed}/{video}.h5",
    log:
        "results/logs/predict/{dataset}/semantic/{method}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/predict/{dataset}/semantic/{method}/seed{seed}/{video}.tsv"
    wildcard_constraints:
        method="|".join(SEGMENTERS),
    priority: 2
    conda:
        "../envs/videottt.yaml"
    threads: 1
    resources:
        gpu=GPUS,
    params:
        network=lambda wildcards: config["methods"][wildcards.method]["segmenter"],
        weights=weights_argument,
        input=param(job_settings.segmenter_arguments),
        device=config["device"],
        code=code("predict-segmenter"),
    shell:
        "videottt predict-segmenter --frames {input.frames:q} --network {params.network:q} "
        "--weights {params.weights} {params.input} --method {wildcards.method:q} "
        "--seed {wildcards.seed} --device {params.device:q} --threads {threads} $SAVING "
        "--output {output.predictions:q} > {log:q} 2>&1"
