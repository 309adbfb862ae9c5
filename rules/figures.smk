"""Something to look at, made from cached results only: curves, bars, reconstructions, videos."""


rule plot_curves:
    """Plot how well each method of a study does over the course of one video."""
    input:
        scores=scores_of_video,
    output:
        png=report(
            "results/figures/{study}/{dataset}/{task}/{video}/curves.png",
            caption="../workflow/report/curves.rst",
            category="Figures",
            subcategory="mIoU over time",
            labels={"study": "{study}", "dataset": "{dataset}", "video": "{video}"},
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
        methods=methods_of_study,
        labels=method_labels,
        baseline="mae_joint_training",
        code=code("figures/curves.py", "figures/style.py", "metrics/semantic.py"),
    shell:
        "videottt plot-curves --scores {input.scores:q} --methods {params.methods:q} "
        "--labels {params.labels:q} --baseline {params.baseline:q} --png {output.png:q} "
        "--pdf {output.pdf:q} > {log:q} 2>&1"


rule plot_bars:
    """Plot the pooled mean IoU of each method of a study on each split."""
    input:
        metrics=rules.aggregate.output.metrics,
    output:
        png=report(
            "results/figures/{study}/bars.png",
            caption="../workflow/report/bars.rst",
            category="Figures",
            subcategory="mIoU by split",
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
        methods=methods_of_study,
        labels=method_labels,
        code=code("figures/bars.py", "figures/style.py"),
    shell:
        "videottt plot-bars --metrics {input.metrics:q} --methods {params.methods:q} "
        "--labels {params.labels:q} --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule plot_reconstruction:
    """Plot what the model saw, what it reconstructed and what it predicted."""
    input:
        frames=rules.ingest.output.frames,
        fixed=expand(
            rules.predict.output.predictions, method="mae_joint_training", allow_missing=True
        ),
        predictions=rules.predict.output.predictions,
    output:
        png=report(
            "results/figures/{dataset}/{task}/{method}/seed{seed}/{video}_reconstruction.png",
            caption="../workflow/report/reconstruction.rst",
            category="Figures",
            subcategory="Reconstructions",
            labels={
                "dataset": "{dataset}",
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
        code=code("figures/reconstruction.py", "figures/style.py"),
    shell:
        "videottt plot-reconstruction --frames {input.frames:q} --fixed {input.fixed:q} "
        "--predictions {input.predictions:q} --labels {params.labels:q} --png {output.png:q} "
        "--pdf {output.pdf:q} > {log:q} 2>&1"


rule render_video:
    """Render the fixed model and online TTT-MAE side by side."""
    input:
        frames=rules.ingest.output.frames,
        fixed=expand(
            rules.predict.output.predictions, method="mae_joint_training", allow_missing=True
        ),
        predictions=expand(
            rules.predict.output.predictions, method="online_ttt_mae", allow_missing=True
        ),
    output:
        video=report(
            "results/videos/{dataset}/{task}/seed{seed}/{video}.mp4",
            caption="../workflow/report/video.rst",
            category="Figures",
            subcategory="Videos",
            labels={"dataset": "{dataset}", "seed": "{seed}", "video": "{video}"},
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
        code=code("figures/video.py", "figures/encoding.py", "figures/style.py"),
    shell:
        "videottt render-video --frames {input.frames:q} --fixed {input.fixed:q} "
        "--predictions {input.predictions:q} --labels {params.labels:q} "
        "--output {output.video:q} > {log:q} 2>&1"
