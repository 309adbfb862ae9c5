"""List all tables, figures and videos of a study."""


def study_results(wildcards):
    """Return everything that the study that is run shows."""
    study_id, study = config["study"], settings.current_study(config)
    tasks = {task for _, task in scored.scored_streams(config, study)}
    results = expand(rules.make_omission_table.output, study=study_id)
    if tasks:
        results += expand(rules.make_cost_table.output, study=study_id)
    if tasks - {"colorization"}:
        tables = shown.tables_of_study(config, study)
        results += expand(rules.make_table.output, study=study_id, table=tables)
        results += expand(rules.make_class_table.output, study=study_id)
        results += expand(rules.make_convention_table.output, study=study_id)
    if "colorization" in tasks:
        results += expand(rules.make_colour_table.output, study=study_id)
    if shown.checked_datasets(config, study):
        results += expand(rules.make_data_table.output, study=study_id)
    results += figures_of_study(study_id, study)
    for task in {settings.trained_task(study, task) for _, task in settings.streams_of(study)}:
        ids = {"dataset": settings.training_of(study, task)["dataset"], "task": task}
        ids |= {"checkpoint": settings.also_trained(study, task)}
        seeds = settings.seeds_of(study, task)
        results += expand(rules.train.output.checkpoint, seed=seeds, **ids)
    for dataset, task in settings.streams_of(study):
        results += figures_of_stream(study_id, study, dataset, task)
    if "window" in study.get("sweeps", {}):
        # Its gradients need runs of labelled frames, and its figure is of the paper's section 6.2.
        for stream in scored.scored_in(config, sources(), study, "window"):
            if stream.task == "semantic":
                results += expand(rules.plot_theory.output, study=study_id, **stream.ids)
    return results


def figures_of_study(study_id, study):
    """Return the drawings of a study that are of no single stream."""
    results = []
    if scored.scored_streams(config, study):
        results += expand(rules.plot_bars.output, study=study_id)
        results += expand(rules.plot_diagnosis.output, study=study_id)
        if drawn.has_figure2(config, study):
            results += expand(rules.plot_figure2.output, study=study_id)
    return results + expand(rules.plot_sweep.output, study=study_id, sweep=study.get("sweeps", []))


def figures_of_stream(study_id, study, dataset, task):
    """Return the drawings of a stream that need no video, and those of each of its videos."""
    results = []
    draws = drawn.drawn_in(config, study)
    is_scored = settings.is_scored(config, dataset, task)
    ids = {"study": study_id, "dataset": dataset, "task": task}
    selected_here = trials.selected_on(config, dataset, task) == {"dataset": dataset, "task": task}
    if trials.selected_methods(config, study) and selected_here:
        results += expand(rules.plot_selection.output, **ids)
    ids |= {
        "video": settings.study_videos(config, study, dataset),
        "seed": settings.seeds_of(study, task)[0],
    }
    if is_scored:
        results += expand(rules.plot_curves.output, **ids)
    learned = [*rules.plot_reconstruction.output]
    if task == "colorization":
        results += expand(rules.plot_colours.output, **ids)
        learned += rules.render_prediction.output
    elif is_scored:
        learned += rules.plot_strips.output
    results += expand(learned, method=str(draws.learned), **ids)
    if task == "semantic" and is_scored:  # as in the paper's figure 3
        results += expand(rules.plot_steps.output, method=str(draws.steps), **ids)
    return results + expand(rules.render_video.output, **ids)
