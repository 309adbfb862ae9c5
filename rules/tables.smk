"""The tables of a study."""


rule make_table:
    """Write mean and spread over seeds of every method, with the paper's numbers beside them."""
    input:
        metrics=rules.aggregate.output.metrics,
        paper=PAPER,
    output:
        csv=report(
            "results/tables/{study}.csv",
            caption="../workflow/report/table.rst",
            category="Tables",
            labels={"study": "{study}", "table": "mIoU"},
        ),
        markdown="results/tables/{study}.md",
        latex="results/tables/{study}.tex",
        classes=report(
            "results/tables/{study}_classes.csv",
            caption="../workflow/report/classes.rst",
            category="Tables",
            labels={"study": "{study}", "table": "IoU of each class"},
        ),
    log:
        "results/logs/make_table/{study}.log",
    benchmark:
        "results/benchmarks/make_table/{study}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        methods=methods_of_study,
        labels=method_labels,
        paper=paper_of_study,
        code=code("tables.py", "cli/tables.py"),
    shell:
        "videottt table --metrics {input.metrics:q} --methods {params.methods:q} "
        "--labels {params.labels:q} --paper {input.paper:q} {params.paper} --csv {output.csv:q} "
        "--markdown {output.markdown:q} --latex {output.latex:q} --classes {output.classes:q} "
        "> {log:q} 2>&1"
