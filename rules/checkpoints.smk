"""Import the paper's two checkpoints (section 4.1), or train them on still images."""


include: "inputs/checkpoints.smk"


rule import_checkpoint:
    """Import published weights; weights of a fourth channel that they lack start at zero."""
    input:
        record=fetched_checkpoint,
    output:
        checkpoint="results/checkpoints/imported/{dataset}/{task}/{source}.safetensors",
    log:
        "results/logs/import_checkpoint/{dataset}/{task}/{source}.log",
    benchmark:
        "results/benchmarks/import_checkpoint/{dataset}/{task}/{source}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        file=lambda wildcards: file_of(wildcards.source),
        model=param(inputs.training_model),
        classes=param(job_settings.class_settings),
        code=code("import-checkpoint"),
    shell:
        "videottt import-checkpoint --from {params.file} --task {wildcards.task:q} "
        "--model {params.model:q} --settings {params.classes:q} --fourth-channel zeros "
        "--output {output.checkpoint:q} > {log:q} 2>&1"


rule train:
    """Train the main task only, or jointly with reconstruction."""
    input:
        stills=stills_of,
        initial=initial_of,
    output:
        checkpoint="results/checkpoints/{dataset}/{task}/{checkpoint}/seed{seed}.safetensors",
        history="results/checkpoints/{dataset}/{task}/{checkpoint}/seed{seed}.csv",
    log:
        "results/logs/train/{dataset}/{task}/{checkpoint}/seed{seed}.log",
    benchmark:
        "results/benchmarks/train/{dataset}/{task}/{checkpoint}/seed{seed}.tsv"
    # Most jobs wait for checkpoints, then for predictions, then for scores.
    priority: 3
    conda:
        "../envs/videottt.yaml"
    threads: param(inputs.training_threads)
    resources:
        gpu=GPUS * config["training_processes"],
    params:
        frames=stills_arguments,
        model=param(inputs.training_model),
        settings=param(job_settings.training_settings),
        initial=lambda wildcards, input: f"--initial {input.initial}" if input.initial else "",
        device=config["device"],
        threads=param(inputs.training_threads),
        code=code("train"),
    shell:
        "$TRAINING train --frames {params.frames} {params.initial} --task {wildcards.task:q} "
        "--model {params.model:q} --settings {params.settings:q} --stage {wildcards.checkpoint:q} --seed {wildcards.seed} "
        "--device {params.device:q} --threads {params.threads} $SAVING "
        "--history {output.history:q} --output {output.checkpoint:q} > {log:q} 2>&1"
