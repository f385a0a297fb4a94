# docker build -t reid . && docker run --rm --init -v "$PWD/outputs:/reid/outputs" reid
# For CPUs and, with --gpus all, NVIDIA GPUs. Others, and Ascend: docs/deployment.md, Containers.
ARG BASE=python:3.12-slim
FROM ${BASE}

# Of pyproject.toml, with commas
ARG EXTRAS=export
# Further package index, of torch's CPU build for one
ARG PIP_EXTRA_INDEX_URL
# Owner of what a run leaves in a mounted folder
ARG UID=1000

WORKDIR /reid
COPY pyproject.toml README.md ./
COPY reid reid
RUN python -m pip install --no-cache-dir ".[${EXTRAS}]"
COPY conf conf
COPY run.py ./

RUN (id -u "${UID}" || useradd --create-home --uid "${UID}" reid) && mkdir data outputs && chown "${UID}" data outputs
ENV HOME=/tmp
USER ${UID}

# CANN's variables first, where it is installed
ENV CANN=/usr/local/Ascend/ascend-toolkit/set_env.sh
ENTRYPOINT ["bash", "-c", "[ ! -f \"$CANN\" ] || source \"$CANN\"; exec python run.py \"$@\"", "reid"]
