"""Joint training on still images: the paper's two checkpoints (section 4.1)."""


rule train:
    """Train the main task only, or jointly with reconstruction."""
    input:
        frames=stills_of,
        initial=initial_of,
    output:
        checkpoint="results/checkpoints/{dataset}/{task}/{checkpoint}/seed{seed}.safetensors",
        history="results/checkpoints/{dataset}/{task}/{checkpoint}/seed{seed}.csv",
    log:
        "results/logs/train/{dataset}/{task}/{checkpoint}/seed{seed}.log",
    benchmark:
        "results/benchmarks/train/{dataset}/{task}/{checkpoint}/seed{seed}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: training_threads
    resources:
        gpu=GPUS,
    params:
        model=training_model,
        settings=training_settings,
        initial=lambda wildcards, input: f"--initial {input.initial}" if input.initial else "",
        device=config["device"],
        threads=training_threads,
        code=code(*CODE["model"], *CODE["train"]),
    shell:
        "videottt train --frames {input.frames:q} {params.initial} --task {wildcards.task:q} "
        "--model {params.model:q} --settings {params.settings:q} --seed {wildcards.seed} "
        "--device {params.device:q} --threads {params.threads} --state results/state "
        "--history {output.history:q} --output {output.checkpoint:q} > {log:q} 2>&1"
