# The package and all that a run needs, at the versions of requirements.lock:
#   docker build --tag videottt .
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD":/work videottt \
#     snakemake --cores all --config study=demo
# apptainer.def makes the same of it for Apptainer.
FROM python:3.11-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

WORKDIR /opt/videottt
# By themselves, so that a change of the code does not install every package anew.
COPY requirements.lock requirements-no-deps.lock ./
RUN python -m pip install -r requirements.lock && \
    python -m pip install --no-deps -r requirements-no-deps.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN python -m pip install --no-deps . && \
    rm -rf build src/videottt.egg-info

# With --user, this may be anyone: HOME and LOGNAME are for those who have neither home nor name
# here. NVML, which finds the GPUs, is of the capability `utility`.
ENV HOME=/tmp \
    LOGNAME=videottt \
    MPLBACKEND=agg \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONNOUSERSITE=1
USER 1000:1000
WORKDIR /work
CMD ["videottt", "--help"]
