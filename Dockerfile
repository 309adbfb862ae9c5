# The package and everything that a run needs, at the versions of requirements.lock:
#   docker build --tag videottt .
#   docker run --rm --ipc host --user "$(id -u):$(id -g)" --volume "$PWD":/work videottt \
#     snakemake --cores all --config study=demo
# Without --ipc host, processes that load images have 64 MB to pass them on, and too little for NCCL.
# apptainer.def builds the same image for Apptainer.
FROM python:3.11-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

WORKDIR /opt/videottt
# Installed first, so that a change of the code does not install every package again.
COPY requirements.lock requirements-no-deps.lock ./
RUN python -m pip install -r requirements.lock && \
    python -m pip install --no-deps -r requirements-no-deps.lock
COPY pyproject.toml README.md LICENSE config.yaml ./
COPY envs ./envs
COPY rules ./rules
COPY src ./src
COPY workflow ./workflow
RUN python -m pip install --no-deps .

# With --user, anyone may run the image: HOME and LOGNAME serve users without a home or a name in it.
# NVML, which finds the GPUs, needs the capability `utility`.
ENV HOME=/tmp \
    LOGNAME=videottt \
    MPLBACKEND=agg \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONNOUSERSITE=1
USER 1000:1000
WORKDIR /work
CMD ["videottt", "--help"]
