"""Make the tables of a study, in the form of the paper's."""


include: "inputs/tables.smk"


rule make_table:
    """Write mean and spread over seeds of a table's methods, beside the paper's numbers."""
    input:
        metrics=rules.aggregate.output.metrics,
        paper=PAPER,
    output:
        csv=report(
            "results/tables/{study}/{table}.csv",
            caption="../workflow/report/table.rst",
            category="Tables",
            labels={"study": "{study}", "table": "{table}", "form": "all numbers"},
        ),
        markdown=report(
            "results/tables/{study}/{table}.md",
            caption="../workflow/report/table.rst",
            category="Tables",
            labels={"study": "{study}", "table": "{table}", "form": "to read"},
        ),
        latex="results/tables/{study}/{table}.tex",
    log:
        "results/logs/make_table/{study}/{table}.log",
    benchmark:
        "results/benchmarks/make_table/{study}/{table}.tsv"
    wildcard_constraints:
        # Other rules make these.
        table=r"(?!(table2|table3|cost|classes|conventions|omissions|diagnosis)\.|theory_)[^/]+",
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        layout=param(shown.table_layout),
        labels=method_labels,
        model=param(shown.model_of_study),
        paper=param(settings.paper_of),
        code=code("table"),
    shell:
        "videottt table --metrics {input.metrics:q} --layout {params.layout:q} "
        "--labels {params.labels:q} --model {params.model:q} --paper {input.paper:q} "
        "--beside {params.paper:q} --csv {output.csv:q} --markdown {output.markdown:q} "
        "--latex {output.latex:q} > {log:q} 2>&1"


rule make_cost_table:
    """Write seconds a frame and memory of every method of a study."""
    input:
        metrics=rules.aggregate.output.metrics,
        paper=PAPER[0],
    output:
        csv=report(
            "results/tables/{study}/cost.csv",
            caption="../workflow/report/cost.rst",
            category="Tables",
            labels={"study": "{study}", "table": "cost", "form": "all numbers"},
        ),
        markdown=report(
            "results/tables/{study}/cost.md",
            caption="../workflow/report/cost.rst",
            category="Tables",
            labels={"study": "{study}", "table": "cost", "form": "to read"},
        ),
        latex="results/tables/{study}/cost.tex",
    log:
        "results/logs/make_cost_table/{study}.log",
    benchmark:
        "results/benchmarks/make_cost_table/{study}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        methods=method_list(shown.scored_methods),
        labels=method_labels,
        code=code("cost-table"),
    shell:
        "videottt cost-table --metrics {input.metrics:q} --methods {params.methods:q} "
        "--labels {params.labels:q} --paper {input.paper:q} --csv {output.csv:q} "
        "--markdown {output.markdown:q} --latex {output.latex:q} > {log:q} 2>&1"


rule make_data_table:
    """Write the data sets of a study, and the paper's table 2 beside them."""
    input:
        reports=reports_of_study,
        paper=PAPER_DATA,
    output:
        csv=report(
            "results/tables/{study}/table2.csv",
            caption="../workflow/report/table2.rst",
            category="Tables",
            labels={"study": "{study}", "table": "table2", "form": "all numbers"},
        ),
        markdown=report(
            "results/tables/{study}/table2.md",
            caption="../workflow/report/table2.rst",
            category="Tables",
            labels={"study": "{study}", "table": "table2", "form": "to read"},
        ),
        latex="results/tables/{study}/table2.tex",
    log:
        "results/logs/make_data_table/{study}.log",
    benchmark:
        "results/benchmarks/make_data_table/{study}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        code=code("make-data-table"),
    shell:
        "videottt make-data-table --reports {input.reports:q} --paper {input.paper:q} "
        "--csv {output.csv:q} --markdown {output.markdown:q} --latex {output.latex:q} "
        "> {log:q} 2>&1"


rule make_colour_table:
    """Write the colorization metrics of a study's methods, and the paper's table 3 below them."""
    input:
        metrics=rules.aggregate.output.metrics,
        paper=PAPER_COLOURS,
    output:
        csv=report(
            "results/tables/{study}/table3.csv",
            caption="../workflow/report/table3.rst",
            category="Tables",
            labels={"study": "{study}", "table": "table3", "form": "all numbers"},
        ),
        markdown=report(
            "results/tables/{study}/table3.md",
            caption="../workflow/report/table3.rst",
            category="Tables",
            labels={"study": "{study}", "table": "table3", "form": "to read"},
        ),
        latex="results/tables/{study}/table3.tex",
    log:
        "results/logs/make_colour_table/{study}.log",
    benchmark:
        "results/benchmarks/make_colour_table/{study}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        methods=method_list(shown.colour_methods),
        labels=method_labels,
        model=param(shown.model_of_study),
        paper=param(settings.paper_of),
        notes=network_notes,
        code=code("colour-table"),
    shell:
        "videottt colour-table --metrics {input.metrics:q} --methods {params.methods:q} "
        "--labels {params.labels:q} --model {params.model:q} --paper {input.paper:q} "
        "--beside {params.paper:q} --notes {params.notes:q} --csv {output.csv:q} "
        "--markdown {output.markdown:q} --latex {output.latex:q} > {log:q} 2>&1"


rule make_class_table:
    """Write the IoU, AP or PQ of each class of every method of a study."""
    input:
        metrics=rules.aggregate.output.metrics,
    output:
        classes=report(
            "results/tables/{study}/classes.csv",
            caption="../workflow/report/classes.rst",
            category="Tables",
            labels={"study": "{study}", "table": "each class", "form": "all numbers"},
        ),
    log:
        "results/logs/make_class_table/{study}.log",
    benchmark:
        "results/benchmarks/make_class_table/{study}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        methods=method_list(shown.scored_methods),
        code=code("class-table"),
    shell:
        "videottt class-table --metrics {input.metrics:q} --methods {params.methods:q} "
        "--output {output.classes:q} > {log:q} 2>&1"


rule make_convention_table:
    """Write each method's metric in every form in use, and the effect of mixing the forms."""
    input:
        metrics=rules.aggregate.output.metrics,
    output:
        csv=report(
            "results/tables/{study}/conventions.csv",
            caption="../workflow/report/conventions.rst",
            category="Tables",
            labels={"study": "{study}", "table": "conventions", "form": "all numbers"},
        ),
        markdown=report(
            "results/tables/{study}/conventions.md",
            caption="../workflow/report/conventions.rst",
            category="Tables",
            labels={"study": "{study}", "table": "conventions", "form": "to read"},
        ),
    log:
        "results/logs/make_convention_table/{study}.log",
    benchmark:
        "results/benchmarks/make_convention_table/{study}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        methods=method_list(shown.scored_methods),
        labels=method_labels,
        code=code("convention-table"),
    shell:
        "videottt convention-table --metrics {input.metrics:q} --methods {params.methods:q} "
        "--labels {params.labels:q} --csv {output.csv:q} --markdown {output.markdown:q} "
        "> {log:q} 2>&1"


rule make_omission_table:
    """Write what a study does not show, and why."""
    output:
        csv="results/tables/{study}/omissions.csv",
        markdown=report(
            "results/tables/{study}/omissions.md",
            caption="../workflow/report/omissions.rst",
            category="Tables",
            labels={"study": "{study}", "table": "what is left out", "form": "to read"},
        ),
    log:
        "results/logs/make_omission_table/{study}.log",
    benchmark:
        "results/benchmarks/make_omission_table/{study}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        rows=param(omissions.omissions_of),
        code=code("omission-table"),
    shell:
        "videottt omission-table --rows {params.rows:q} --csv {output.csv:q} "
        "--markdown {output.markdown:q} > {log:q} 2>&1"
