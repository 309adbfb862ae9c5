#!/usr/bin/env bash
# Snakemake runs this after it has created the environment of videottt.yaml.
set -euo pipefail
# Its metadata asks for numpy < 2, which it does not need; see requirements-no-deps.lock.
python -m pip install --no-deps panopticapi-lite==0.2.0
