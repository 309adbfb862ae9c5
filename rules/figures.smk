"""Draw figures and videos from cached results; only `trace` runs the model."""


include: "inputs/figures.smk"


rule plot_curves:
    """Plot the metric of methods over the course of one video."""
    input:
        scores=scores_of_video,
    output:
        png=report(
            "results/figures/{study}/{dataset}/{task}/{video}/curves.png",
            caption="../workflow/report/curves.rst",
            category="Figures",
            subcategory="Metric over time",
            labels={
                "study": "{study}",
                "dataset": "{dataset}",
                "task": "{task}",
                "video": "{video}",
            },
        ),
        pdf="results/figures/{study}/{dataset}/{task}/{video}/curves.pdf",
    log:
        "results/logs/plot_curves/{study}/{dataset}/{task}/{video}.log",
    benchmark:
        "results/benchmarks/plot_curves/{study}/{dataset}/{task}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        methods=method_list(shown.curve_methods),
        labels=method_labels,
        baseline=param(drawn.fixed_beside, form=str),
        code=code("plot-curves"),
    shell:
        "videottt plot-curves --scores {input.scores:q} --methods {params.methods:q} "
        "--labels {params.labels:q} --baseline {params.baseline:q} --png {output.png:q} "
        "--pdf {output.pdf:q} > {log:q} 2>&1"


rule plot_bars:
    """Plot the pooled mIoU, AP or PQ of each method of a study on each split."""
    input:
        metrics=rules.aggregate.output.metrics,
    output:
        png=report(
            "results/figures/{study}/bars.png",
            caption="../workflow/report/bars.rst",
            category="Figures",
            subcategory="Metric by split",
            labels={"study": "{study}"},
        ),
        pdf="results/figures/{study}/bars.pdf",
    log:
        "results/logs/plot_bars/{study}.log",
    benchmark:
        "results/benchmarks/plot_bars/{study}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        methods=method_list(shown.scored_methods),
        labels=method_labels,
        baseline=param(drawn.bars_baseline),
        code=code("plot-bars"),
    shell:
        "videottt plot-bars --metrics {input.metrics:q} --methods {params.methods:q} "
        "--labels {params.labels:q} {params.baseline} --png {output.png:q} --pdf {output.pdf:q} "
        "> {log:q} 2>&1"


use rule plot_bars as plot_figure2 with:
    output:
        png=report(
            "results/figures/{study}/figure2.png",
            caption="../workflow/report/figure2.rst",
            category="Figures",
            subcategory="Metric by split",
            labels={"study": "{study}", "figure": "figure 2"},
        ),
        pdf="results/figures/{study}/figure2.pdf",
    log:
        "results/logs/plot_figure2/{study}.log",
    benchmark:
        "results/benchmarks/plot_figure2/{study}.tsv"
    params:
        methods=method_list(drawn.figure2_methods),
        labels=method_labels,
        baseline=param(drawn.bars_baseline),
        code=code("plot-bars"),


rule plot_sweep:
    """Plot the metric of a method against one of its settings, beside the fixed models."""
    input:
        metrics=rules.aggregate_sweep.output.metrics,
    output:
        png=report(
            "results/figures/{study}/{sweep}.png",
            caption="../workflow/report/sweep.rst",
            category="Figures",
            subcategory="Sweeps",
            labels={"study": "{study}", "sweep": "{sweep}"},
        ),
        pdf="results/figures/{study}/{sweep}.pdf",
    log:
        "results/logs/plot_sweep/{study}/{sweep}.log",
    benchmark:
        "results/benchmarks/plot_sweep/{study}/{sweep}.tsv"
    wildcard_constraints:
        # Other rules make the other files in this folder.
        sweep=r"(?!(bars|figure2|diagnosis)\.|selection_)[^/]+",
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        sweep=param(trials.sweep_arguments),
        labels=method_labels,
        code=code("plot-sweep"),
    shell:
        "videottt plot-sweep --metrics {input.metrics:q} {params.sweep} "
        "--labels {params.labels:q} --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule plot_selection:
    """Plot the trials by which the hyper-parameters of each method were selected."""
    input:
        grids=selection_grids,
    output:
        png=report(
            "results/figures/{study}/selection_{dataset}_{task}.png",
            caption="../workflow/report/selection.rst",
            category="Figures",
            subcategory="Selection",
            labels={"study": "{study}", "dataset": "{dataset}", "task": "{task}"},
        ),
        pdf="results/figures/{study}/selection_{dataset}_{task}.pdf",
    log:
        "results/logs/plot_selection/{study}/{dataset}/{task}.log",
    benchmark:
        "results/benchmarks/plot_selection/{study}/{dataset}/{task}.tsv"
    wildcard_constraints:
        # Without an underscore, so that the last underscore ends the data set's id.
        task="[^/_]+",
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        methods=method_list(trials.methods_selected_for),
        labels=method_labels,
        code=code("plot-selection"),
    shell:
        "videottt plot-selection --grids {input.grids:q} --methods {params.methods:q} "
        "--task {wildcards.task:q} --labels {params.labels:q} --png {output.png:q} "
        "--pdf {output.pdf:q} > {log:q} 2>&1"


rule plot_reconstruction:
    """Plot masked input, reconstruction and prediction."""
    input:
        frames=rules.ingest.output.frames,
        fixed=fixed_of,
        predictions=rules.predict.output.predictions,
    output:
        png=report(
            "results/figures/{dataset}/{task}/{method}/seed{seed}/{video}_reconstruction.png",
            caption="../workflow/report/reconstruction.rst",
            category="Figures",
            subcategory="Reconstructions",
            labels={
                "dataset": "{dataset}",
                "task": "{task}",
                "method": "{method}",
                "seed": "{seed}",
                "video": "{video}",
            },
        ),
        pdf="results/figures/{dataset}/{task}/{method}/seed{seed}/{video}_reconstruction.pdf",
    log:
        "results/logs/plot_reconstruction/{dataset}/{task}/{method}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/plot_reconstruction/{dataset}/{task}/{method}/seed{seed}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        labels=method_labels,
        truth=param(inputs.truth_argument),
        code=code("plot-reconstruction"),
    shell:
        "videottt plot-reconstruction --frames {input.frames:q} --fixed {input.fixed:q} "
        "--predictions {input.predictions:q} --labels {params.labels:q} {params.truth} "
        "--png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule plot_strips:
    """Plot the adjacent frames on which a method gains most over the fixed model, and least."""
    input:
        frames=rules.ingest.output.frames,
        fixed=fixed_of,
        predictions=rules.predict.output.predictions,
    output:
        png=report(
            "results/figures/{dataset}/{task}/{method}/seed{seed}/{video}_strips.png",
            caption="../workflow/report/strips.rst",
            category="Figures",
            subcategory="Adjacent frames",
            labels={
                "dataset": "{dataset}",
                "task": "{task}",
                "method": "{method}",
                "seed": "{seed}",
                "video": "{video}",
            },
        ),
        pdf="results/figures/{dataset}/{task}/{method}/seed{seed}/{video}_strips.pdf",
    log:
        "results/logs/plot_strips/{dataset}/{task}/{method}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/plot_strips/{dataset}/{task}/{method}/seed{seed}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        labels=method_labels,
        code=code("plot-strips"),
    shell:
        "videottt plot-strips --frames {input.frames:q} --fixed {input.fixed:q} "
        "--predictions {input.predictions:q} --labels {params.labels:q} --png {output.png:q} "
        "--pdf {output.pdf:q} > {log:q} 2>&1"


rule trace:
    """Learn from single frames of a video, each time from the checkpoint, and keep every step."""
    input:
        frames=rules.ingest.output.frames,
        checkpoint=checkpoint_of,
        selection=selections_of,
    output:
        traces="results/traces/{dataset}/{task}/{method}/seed{seed}/{video}.h5",
    log:
        "results/logs/trace/{dataset}/{task}/{method}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/trace/{dataset}/{task}/{method}/seed{seed}/{video}.tsv"
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
        code=code("trace", rerun.objective_module),
    shell:
        "videottt trace --frames {input.frames:q} --checkpoint {input.checkpoint:q} "
        "--task {wildcards.task:q} --method {wildcards.method:q} --settings {params.settings:q} "
        "{params.selection} --override {params.overrides:q} --seed {wildcards.seed} "
        "--device {params.device:q} --threads {threads} --output {output.traces:q} "
        "> {log:q} 2>&1"


rule plot_steps:
    """Plot reconstruction, loss and metric of single frames through gradient steps."""
    input:
        frames=rules.ingest.output.frames,
        traces=rules.trace.output.traces,
    output:
        png=report(
            "results/figures/{dataset}/{task}/{method}/seed{seed}/{video}_steps.png",
            caption="../workflow/report/steps.rst",
            category="Figures",
            subcategory="Gradient steps",
            labels={
                "dataset": "{dataset}",
                "task": "{task}",
                "method": "{method}",
                "seed": "{seed}",
                "video": "{video}",
            },
        ),
        pdf="results/figures/{dataset}/{task}/{method}/seed{seed}/{video}_steps.pdf",
    log:
        "results/logs/plot_steps/{dataset}/{task}/{method}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/plot_steps/{dataset}/{task}/{method}/seed{seed}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        truth=param(inputs.truth_argument),
        code=code("plot-steps"),
    shell:
        "videottt plot-steps --frames {input.frames:q} --traces {input.traces:q} {params.truth} "
        "--png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule plot_colours:
    """Plot frames of a video in the colours of each method."""
    input:
        frames=rules.ingest.output.frames,
        predictions=predictions_of_colours,
    output:
        png=report(
            "results/figures/{study}/{dataset}/{video}/colours.png",
            caption="../workflow/report/colours.rst",
            category="Figures",
            subcategory="Colours",
            labels={"study": "{study}", "dataset": "{dataset}", "video": "{video}"},
        ),
        pdf="results/figures/{study}/{dataset}/{video}/colours.pdf",
    log:
        "results/logs/plot_colours/{study}/{dataset}/{video}.log",
    benchmark:
        "results/benchmarks/plot_colours/{study}/{dataset}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        labels=method_labels,
        truth=param(inputs.colour_truth_argument),
        code=code("plot-colours"),
    shell:
        "videottt plot-colours --frames {input.frames:q} --predictions {input.predictions:q} "
        "--labels {params.labels:q} {params.truth} --png {output.png:q} --pdf {output.pdf:q} "
        "> {log:q} 2>&1"


rule render_video:
    """Render the fixed and the learning model side by side."""
    input:
        frames=rules.ingest.output.frames,
        fixed=fixed_of,
        predictions=learned_of,
    output:
        video=report(
            "results/videos/{dataset}/{task}/seed{seed}/{video}.mp4",
            caption="../workflow/report/video.rst",
            category="Figures",
            subcategory="Videos",
            labels={
                "dataset": "{dataset}",
                "task": "{task}",
                "seed": "{seed}",
                "video": "{video}",
            },
        ),
    log:
        "results/logs/render_video/{dataset}/{task}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/render_video/{dataset}/{task}/seed{seed}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        labels=method_labels,
        truth=param(inputs.truth_argument),
        sound=param(inputs.sound_argument),
        code=code("render-video"),
    shell:
        "videottt render-video --frames {input.frames:q} --fixed {input.fixed:q} "
        "--predictions {input.predictions:q} --labels {params.labels:q} "
        "{params.truth} {params.sound} --output {output.video:q} > {log:q} 2>&1"


rule render_prediction:
    """Render a video in the colours of a method."""
    input:
        frames=rules.ingest.output.frames,
        predictions=expand(
            rules.predict.output.predictions, task="colorization", allow_missing=True
        ),
    output:
        video=report(
            "results/videos/{dataset}/colorization/{method}/seed{seed}/{video}.mp4",
            caption="../workflow/report/film.rst",
            category="Figures",
            subcategory="Videos",
            labels={
                "dataset": "{dataset}",
                "task": "colorization",
                "method": "{method}",
                "seed": "{seed}",
                "video": "{video}",
            },
        ),
    log:
        "results/logs/render_prediction/{dataset}/{method}/seed{seed}/{video}.log",
    benchmark:
        "results/benchmarks/render_prediction/{dataset}/{method}/seed{seed}/{video}.tsv"
    conda:
        "../envs/videottt.yaml"
    threads: 1
    params:
        sound=param(inputs.sound_argument),
        code=code("render-prediction"),
    shell:
        "videottt render-prediction --frames {input.frames:q} --predictions {input.predictions:q} "
        "{params.sound} --output {output.video:q} > {log:q} 2>&1"
