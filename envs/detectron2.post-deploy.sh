#!/usr/bin/env bash
# Get detectron2 at the commit that videottt.evaluation.crosscheck.reference names. Its evaluators run
# from source: installing it would need a compiler, for operators that they do not use.
set -euo pipefail
place="$CONDA_PREFIX/share/detectron2"
git clone --quiet --filter=blob:none https://github.com/facebookresearch/detectron2 "$place"
git -C "$place" -c advice.detachedHead=false checkout --quiet \
  02b5c4e295e990042a714712c21dc79b731e8833
packages=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$place" > "$packages/detectron2.pth"
# Its metadata asks for numpy < 2, which it does not need.
python -m pip install --no-deps panopticapi-lite==0.2.0
python -c 'import detectron2.evaluation'
