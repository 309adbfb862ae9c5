"""Measure the theorem of the paper's section 6.2: its constants, its best window, figure 4."""


include: "inputs/theory.smk"


rule theory:
    """Measure the gradients of both losses on every labelled frame of one video."""
    input:
        frames=rules.ingest.output.frames,
        checkpoint=checkpoint_of_theory,
    output:
        statistics="results/theory/{dataset}/{task}/seed{seed}/{video}.h5",
    log:
        "results/logs/theory/{dataset}/{task}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/theory/{dataset}/{task}/seed{seed}/{video}.tsv"
    priority: 2
    conda:
        "../envs/videottt.yaml"
    threads: 1
    resources:
        gpu=GPUS,
    params:
        settings=param(job_settings.theory_settings),
        device=config["device"],
        code=code("theory", rerun.theory_module),
    shell:
        "videottt theory --frames {input.frames:q} --checkpoint {input.checkpoint:q} "
        "--task {wildcards.task:q} --settings {params.settings:q} --seed {wildcards.seed} "
        "--device {params.device:q} --threads {threads} --output {output.statistics:q} "
        "> {log:q} 2>&1"


rule plot_theory:
    """Plot measured bias and variance, and every best window beside the sweep of the window."""
    input:
        statistics=theory_of_study,
        sweep=window_sweep,
    output:
        png=report(
            "results/figures/{study}/{dataset}/{task}/theory.png",
            caption="../workflow/report/theory.rst",
            category="Figures",
            subcategory="Theory",
            labels={"study": "{study}", "dataset": "{dataset}"},
        ),
        pdf="results/figures/{study}/{dataset}/{task}/theory.pdf",
        csv=report(
            "results/tables/{study}/theory_{dataset}_{task}.csv",
            caption="../workflow/report/theory.rst",
            category="Tables",
            labels={"study": "{study}", "table": "constants of the theory, {dataset}"},
        ),
        markdown="results/tables/{study}/theory_{dataset}_{task}.md",
    log:
        "results/logs/plot_theory/{study}/{dataset}/{task}.log",
    benchmark:
        "results/benchmarks/plot_theory/{study}/{dataset}/{task}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        sweep=param(trials.window_arguments),
        fixed=param(drawn.fixed_beside, form=str),
        labels=method_labels,
        code=code("plot-theory"),
    shell:
        "videottt plot-theory --theory {input.statistics:q} --sweep {input.sweep:q} "
        "{params.sweep} --fixed {params.fixed:q} --labels {params.labels:q} "
        "--png {output.png:q} --pdf {output.pdf:q} --csv {output.csv:q} "
        "--markdown {output.markdown:q} > {log:q} 2>&1"
