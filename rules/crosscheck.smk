"""Check scores against detectron2, on request: snakemake --cores 1 results/crosscheck/demo.md."""


include: "inputs/crosscheck.smk"


rule crosscheck:
    """Replay the predictions and labels of a study through detectron2's evaluators."""
    input:
        unpack(files_of_study),
    output:
        csv=report(
            "results/crosscheck/{study}.csv",
            caption="../workflow/report/crosscheck.rst",
            category="Agreement with detectron2",
            labels={"study": "{study}", "form": "all numbers"},
        ),
        markdown=report(
            "results/crosscheck/{study}.md",
            caption="../workflow/report/crosscheck.rst",
            category="Agreement with detectron2",
            labels={"study": "{study}", "form": "to read"},
        ),
    log:
        "results/logs/crosscheck/{study}.log",
    benchmark:
        "results/benchmarks/crosscheck/{study}.tsv"
    conda:
        "../envs/detectron2.yaml"
    threads: 1
    params:
        frames=lambda wildcards: str(rules.ingest.output.frames),
        predictions=lambda wildcards: str(rules.predict.output.predictions),
        scores=lambda wildcards: str(rules.score.output.scores),
        of=param(scored.crosschecked_ids),
        predicting=param(scored.borrowed_predictions),
        code=code("crosscheck"),
    shell:
        "videottt crosscheck --frames {params.frames:q} "
        "--predictions {params.predictions:q} --scores {params.scores:q} --of {params.of:q} "
        "--predictions-of {params.predicting:q} --csv {output.csv:q} --markdown {output.markdown:q} > {log:q} 2>&1"
