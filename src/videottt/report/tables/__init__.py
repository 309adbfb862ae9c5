"""Make the tables of a study: our numbers with their spread over seeds, beside the paper's.

`layout` orders the methods, `paper` holds the published numbers, `numbers` compares them with ours,
and `sheets`, `formats` and `caption` make them readable. `cost` holds times and memory, `classes`
the metric of each class, `conventions` the forms in which the same predictions can be scored.
"""
