"""Measure whether adaptation can work with the checkpoints of a study on its videos."""


include: "inputs/diagnosis.smk"


rule diagnose:
    """Compare reconstruction, gradients and single steps of one method on one video."""
    input:
        frames=rules.ingest.output.frames,
        checkpoint=checkpoint_of,
        selection=selections_of,
        stills=stills_of_diagnosis,
    output:
        diagnosis="results/diagnosis/{dataset}/{task}/{method}/seed{seed}/{video}.h5",
    log:
        "results/logs/diagnose/{dataset}/{task}/{method}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/diagnose/{dataset}/{task}/{method}/seed{seed}/{video}.tsv"
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
        stills=stills_of_diagnosis_argument,
        device=config["device"],
        code=code("diagnose", rerun.objective_module),
    shell:
        "videottt diagnose --frames {input.frames:q} --checkpoint {input.checkpoint:q} "
        "--task {wildcards.task:q} --method {wildcards.method:q} --settings {params.settings:q} "
        "{params.selection} --override {params.overrides:q} --seed {wildcards.seed} "
        "{params.stills} --device {params.device:q} --threads {threads} "
        "--output {output.diagnosis:q} > {log:q} 2>&1"


rule plot_diagnosis:
    """Plot the diagnoses of a study's videos and seeds, and write them as a table."""
    input:
        diagnoses=diagnoses_of_study,
    output:
        png=report(
            "results/figures/{study}/diagnosis.png",
            caption="../workflow/report/diagnosis.rst",
            category="Figures",
            subcategory="Diagnosis",
            labels={"study": "{study}"},
        ),
        pdf="results/figures/{study}/diagnosis.pdf",
        csv=report(
            "results/tables/{study}/diagnosis.csv",
            caption="../workflow/report/diagnosis.rst",
            category="Tables",
            labels={"study": "{study}", "table": "diagnosis", "form": "all numbers"},
        ),
        markdown=report(
            "results/tables/{study}/diagnosis.md",
            caption="../workflow/report/diagnosis.rst",
            category="Tables",
            labels={"study": "{study}", "table": "diagnosis", "form": "to read"},
        ),
    log:
        "results/logs/plot_diagnosis/{study}.log",
    benchmark:
        "results/benchmarks/plot_diagnosis/{study}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        code=code("plot-diagnosis"),
    shell:
        "videottt plot-diagnosis --diagnoses {input.diagnoses:q} --png {output.png:q} "
        "--pdf {output.pdf:q} --csv {output.csv:q} --markdown {output.markdown:q} > {log:q} 2>&1"
