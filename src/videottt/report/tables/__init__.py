"""The tables of a study: ours with its spread over seeds, and the paper's beside it.

`layout` says which methods stand where, `paper` holds the published numbers, `numbers` compares
them with ours, and `sheets`, `formats` and `caption` make that readable. `classes` has the metric
of each class, `conventions` the forms in which the same predictions can be scored.
"""
