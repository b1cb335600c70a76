# syntax=docker/dockerfile:1
FROM python:3.11-slim

RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin handful \
    && install --directory --owner handful --mode 0700 /data \
    && python -m venv /opt/handful
ENV PATH=/opt/handful/bin:$PATH \
    PYTHONUNBUFFERED=1

# cpu or gpu: which FAISS to install (never both, see pyproject.toml). faiss-gpu brings libraries of
# CUDA 12, which stand beside PyTorch's of CUDA 13; one driver serves both, if it serves CUDA 13.
ARG FAISS=cpu
# PyTorch on PyPI brings CUDA with it. For an image some gigabytes smaller, without GPU support:
#   --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH_INDEX=
# Other extras, separated by commas: with ray among them for deploy/ray.
ARG EXTRAS=postgres,buckets,otel,grpc,label-studio,mcp,mqtt

# What Handful needs, of a Handful without modules: gigabytes in a layer of their own, which stays
# as long as these files do. The weights of `lite` are among it: the image needs no network when it
# runs. That all of its libraries are found, side by side, needs no GPU to be seen.
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY client client
RUN --mount=type=cache,target=/root/.cache/pip \
    mkdir adapters handful service && touch service/__init__.py \
    # Without what they need, which that index has in other versions; it comes with the rest.
    && if [ -n "$TORCH_INDEX" ]; then \
        pip install --no-deps --constraint constraints.txt --index-url "$TORCH_INDEX" \
            torch torchvision; \
    fi \
    && pip install --constraint constraints.txt ./client ".[$FAISS,$EXTRAS]" \
    && pip uninstall --yes handful \
    && python -c "import torch, faiss"
COPY adapters adapters
COPY handful handful
COPY service service
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --constraint constraints.txt . && handful --help > /dev/null

# Nothing is written outside /data and /tmp, so the root file system can be read-only.
ENV PYTHONDONTWRITEBYTECODE=1 \
    HF_HOME=/tmp/huggingface \
    MPLCONFIGDIR=/tmp/matplotlib \
    HANDFUL_HOST=0.0.0.0 \
    HANDFUL_PORT=8000 \
    HANDFUL_DATA_DIR=/data \
    HANDFUL_CACHE_DIR=/data/cache
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"HANDFUL_PORT\"]}/readyz')"]
ENTRYPOINT ["handful"]
CMD ["serve"]
